// SPDX-License-Identifier: BSD-3-Clause
// Any message that the index accepts: the scan says what the scalar parsers say.
#include "fuzz.h"

#include "classify/classify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct classify_db *db;
	static struct classify_scratch *scratch;
	static struct sip_msg m;
	struct sip_class a, b;

	if (db == NULL)
		FUZZ_ASSERT(classify_db_compile(&db, NULL, NULL) == 0 &&
			    classify_scratch_make(&scratch, db) == 0);
	if (sip_msg_parse(&m, slice_of(data, size)) != 0)
		return 0;
	classify_message(db, scratch, &m, &a);
	classify_message_scalar(&m, &b);
	FUZZ_ASSERT(a.method == m.method && b.method == m.method);
	FUZZ_ASSERT(a.status_class == m.status / 100 && a.status_class == b.status_class);
	FUZZ_ASSERT(a.kind == b.kind && a.kind < SIP_KIND_N);
	FUZZ_ASSERT(a.supported == b.supported && a.required == b.required);
	FUZZ_ASSERT(a.proxy_required == b.proxy_required);
	FUZZ_ASSERT(a.unknown_required == b.unknown_required);
	FUZZ_ASSERT(a.allow == b.allow && a.has_allow == b.has_allow);
	FUZZ_ASSERT(a.scanner == b.scanner);
	FUZZ_ASSERT(a.n_hits == 0 && !a.hits_all);
	return 0;
}
