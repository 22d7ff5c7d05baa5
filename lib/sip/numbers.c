// SPDX-License-Identifier: BSD-3-Clause
// Header values that are numbers. Pure; one pass over the value.
#include "sip/numbers.h"

#include <errno.h>

#include "sip/chars.h"
#include "sip/param.h"

// Take digits off *rest: 0, -ERANGE (*n saturated) or -EBADMSG if there is none.
static int take_u32(struct slice *rest, uint32_t *n)
{
	uint64_t v = 0;
	uint32_t i = 0;
	int rc = 0;

	for (; i < rest->len && rest->p[i] >= '0' && rest->p[i] <= '9'; i++) {
		v = v * 10 + (rest->p[i] - '0');
		if (v > UINT32_MAX) {
			v = UINT32_MAX;
			rc = -ERANGE;
		}
	}
	if (i == 0)
		return -EBADMSG;
	*n = (uint32_t)v;
	*rest = slice_of(rest->p + i, rest->len - i);
	return rc;
}

int sip_numbers_u32(uint32_t *n, struct slice value)
{
	struct slice rest = slice_skip_lws(value);
	uint32_t v = 0;
	int rc = take_u32(&rest, &v);

	if (rc == -EBADMSG || slice_skip_lws(rest).len != 0)
		return -EBADMSG;
	*n = v;
	return rc;
}

int sip_content_length_parse(uint32_t *bytes, struct slice value)
{
	uint32_t n = 0, i = 0;

	for (; i < value.len && i < 9 && value.p[i] >= '0' && value.p[i] <= '9'; i++)
		n = n * 10 + (value.p[i] - '0');
	if (i != 0 && i == value.len) {
		*bytes = n;
		return 0;
	}
	return sip_numbers_u32(bytes, value);
}

int sip_rseq_parse(uint32_t *rseq, struct slice value)
{
	return sip_numbers_u32(rseq, value);
}

int sip_max_forwards_parse(uint8_t *hops, struct slice value)
{
	uint32_t n = 0;
	int rc = sip_numbers_u32(&n, value);

	if (rc == -EBADMSG)
		return rc;
	*hops = (uint8_t)(n > UINT8_MAX ? UINT8_MAX : n);
	return n > UINT8_MAX ? -ERANGE : rc;
}

// "4711 INVITE", a method that sip.def lists: nearly all of them.
static bool usual_cseq(struct sip_cseq *cseq, struct slice value)
{
	uint32_t number = 0, i = 0;
	enum sip_method method;

	for (; i < value.len && i < 9 && value.p[i] >= '0' && value.p[i] <= '9'; i++)
		number = number * 10 + (value.p[i] - '0');
	if (i == 0 || i == value.len || value.p[i] != ' ')
		return false;
	value = slice_skip(value, i + 1);
	method = sip_method_of(value);
	if (method == SIP_METHOD_OTHER)
		return false;
	*cseq = (struct sip_cseq){number, (uint8_t)method, value};
	return true;
}

int sip_cseq_parse(struct sip_cseq *cseq, struct slice value)
{
	struct slice rest = slice_skip_lws(value), token;
	enum sip_method method;
	uint32_t number = 0;
	int rc;

	if (usual_cseq(cseq, value))
		return 0;
	rc = take_u32(&rest, &number);
	token = slice_trim(rest);
	if (rc == -EBADMSG || token.p == rest.p)
		return -EBADMSG;
	method = sip_method_of(token);
	if (method == SIP_METHOD_OTHER && !sip_chars_all_token(token))
		return -EBADMSG;
	*cseq = (struct sip_cseq){number, (uint8_t)method, token};
	return rc;
}

int sip_rack_parse(struct sip_rack *rack, struct slice value)
{
	struct slice rest = slice_skip_lws(value);
	struct sip_cseq cseq;
	uint32_t rseq = 0;
	int rc = take_u32(&rest, &rseq), rc_cseq;

	if (rc == -EBADMSG || rest.len == 0 || !slice_is_lws(rest.p[0]))
		return -EBADMSG;
	rc_cseq = sip_cseq_parse(&cseq, rest);
	if (rc_cseq == -EBADMSG)
		return -EBADMSG;
	*rack = (struct sip_rack){rseq, cseq};
	return rc != 0 ? rc : rc_cseq;
}

// Take a comment off *rest, which begins with '('. Comments nest and hold escapes (s25.1).
static bool take_comment(struct slice *rest, struct slice *text)
{
	uint32_t depth = 0;

	for (uint32_t i = 0; i < rest->len; i++) {
		uint8_t c = rest->p[i];

		if (c == '\\') {
			i++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			*text = slice_of(rest->p + 1, i - 1);
			*rest = slice_of(rest->p + i + 1, rest->len - i - 1);
			return true;
		}
	}
	return false;
}

static bool params_ok(struct slice params)
{
	struct sip_param p;
	int rc;

	while ((rc = sip_param_next(&params, &p)) == 1)
		continue;
	return rc == 0;
}

int sip_delta_parse(struct sip_delta *delta, struct slice value)
{
	struct slice rest = slice_skip_lws(value);
	struct sip_delta d = {0};
	int rc = take_u32(&rest, &d.seconds);

	if (rc == -EBADMSG)
		return rc;
	rest = slice_skip_lws(rest);
	if (rest.len != 0 && rest.p[0] == '(' && !take_comment(&rest, &d.comment))
		return -EBADMSG;
	d.params = slice_trim(rest);
	if (!params_ok(d.params))
		return -EBADMSG;
	*delta = d;
	return rc;
}

static enum sip_refresher refresher_of(const struct sip_param *p)
{
	struct slice value = slice_trim(p->value);

	if (slice_eq_nocase(value, SLICE_LIT("uac")))
		return SIP_REFRESHER_UAC;
	if (slice_eq_nocase(value, SLICE_LIT("uas")))
		return SIP_REFRESHER_UAS;
	return SIP_REFRESHER_OTHER;
}

int sip_session_expires_parse(struct sip_session_expires *se, struct slice value)
{
	struct slice rest = slice_skip_lws(value);
	struct sip_session_expires x = {.refresher = SIP_REFRESHER_NONE};
	struct sip_param p;
	int rc = take_u32(&rest, &x.seconds), more;

	if (rc == -EBADMSG)
		return rc;
	rest = slice_trim(rest);
	x.params = rest;
	while ((more = sip_param_next(&rest, &p)) == 1) {
		if (!slice_eq_nocase(p.name, SLICE_LIT("refresher")))
			continue;
		if (x.refresher == SIP_REFRESHER_NONE)
			x.refresher = refresher_of(&p);
		else if (x.refresher != refresher_of(&p))
			x.refresher = SIP_REFRESHER_OTHER;
	}
	if (more != 0)
		return -EBADMSG;
	*se = x;
	return rc;
}

int sip_min_se_parse(uint32_t *seconds, struct slice value)
{
	struct slice rest = slice_skip_lws(value);
	uint32_t n = 0;
	int rc = take_u32(&rest, &n);

	if (rc == -EBADMSG || !params_ok(slice_trim(rest)))
		return -EBADMSG;
	*seconds = n;
	return rc;
}

int sip_session_expires_of(const struct sip_msg *m, struct sip_session_expires *se)
{
	struct sip_values v = sip_param_values(m, SIP_H_SESSION_EXPIRES);
	struct sip_session_expires first, x;
	struct slice value;
	int rc, again;

	if (!sip_msg_has(m, SIP_H_SESSION_EXPIRES))
		return -ENOENT;
	if (!sip_param_values_next(&v, &value))
		return -EBADMSG;
	rc = sip_session_expires_parse(&first, value);
	if (rc == -EBADMSG)
		return rc;
	while (sip_param_values_next(&v, &value)) {
		again = sip_session_expires_parse(&x, value);
		if (again != rc || x.seconds != first.seconds || x.refresher != first.refresher)
			return -EBADMSG;
	}
	*se = first;
	return rc;
}

int sip_min_se_of(const struct sip_msg *m, uint32_t *seconds)
{
	struct sip_values v = sip_param_values(m, SIP_H_MIN_SE);
	uint32_t first = 0, n = 0;
	struct slice value;
	int rc, again;

	if (!sip_msg_has(m, SIP_H_MIN_SE))
		return -ENOENT;
	if (!sip_param_values_next(&v, &value))
		return -EBADMSG;
	rc = sip_min_se_parse(&first, value);
	if (rc == -EBADMSG)
		return rc;
	while (sip_param_values_next(&v, &value)) {
		again = sip_min_se_parse(&n, value);
		if (again != rc || n != first)
			return -EBADMSG;
	}
	*seconds = first;
	return rc;
}

int sip_cseq_of(const struct sip_msg *m, struct sip_cseq *cseq)
{
	const struct sip_field *f = sip_msg_first(m, SIP_H_CSEQ);

	if (f == NULL)
		return -ENOENT;
	if (f->next != SIP_FIELD_NONE)
		return -EBADMSG;
	return sip_cseq_parse(cseq, sip_msg_field_value(m, f));
}
