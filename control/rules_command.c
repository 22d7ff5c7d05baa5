// SPDX-License-Identifier: BSD-3-Clause
// `verge rules convert | presets | print`. A command; runs before any other thread.
#include "control/rules_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_import.h"
#include "config/config_presets.h"
#include "config/config_rules_print.h"

#define PRINT_MAX (32u << 20)

const char rules_usage[] =
	"       verge rules convert smc|sip_profiles FILE\n"
	"                                  print another system's rules as verge's; stderr says "
	"what "
	"could\n"
	"                                  not be carried over (exit status 1) and what differs\n"
	"       verge rules presets        print each preset, the symptom that it cures, its "
	"rules\n"
	"       verge rules print FILE     print the rules of a configuration, imports and presets "
	"as rules\n";

// A list of rules below "  NAME:", each line pushed in.
static void put_list(FILE *out, struct slice yaml)
{
	while (yaml.len != 0) {
		int64_t end = slice_find(yaml, '\n');
		uint32_t len = end < 0 ? yaml.len : (uint32_t)end;

		if (len != 0)
			fprintf(out, "    " SLICE_FMT "\n", SLICE_ARG(slice_first(yaml, len)));
		yaml = slice_from(yaml, len + 1);
	}
}

static int convert(const char *format, const char *path, FILE *out, FILE *err)
{
	struct config_import *import = NULL;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc = config_import_load(path, &bytes, &len);

	if (rc == 0)
		rc = config_import_convert(&import, format, slice_of(bytes, len), path);
	free(bytes);
	if (rc == -ENOTSUP) {
		fprintf(err, "verge: what is the format \"%s\"? It must be smc or sip_profiles\n",
			format);
		return 2;
	}
	if (rc != 0) {
		fprintf(err, "%s: error: cannot be read: %s\n", path, strerrordesc_np(-rc));
		return 1;
	}
	fprintf(out, "# %s: %u of its rules\nrules:\n  imported:%s\n", path, import->n_rules,
		import->n_rules == 0 ? " []" : "");
	if (import->n_rules != 0)
		put_list(out, outbuf_slice(&import->yaml));
	config_errors_print(&import->notes, err);
	if (import->notes.errors != 0)
		fprintf(err, "%s: %u of its rules could not be carried over\n", path,
			import->notes.errors);
	rc = import->notes.errors != 0 || import->n_rules == 0 ? 1 : 0;
	config_import_free(import);
	return rc;
}

static int presets(FILE *out)
{
	fputs("rules:\n", out);
	for (uint32_t i = 0; i < config_presets_count(); i++) {
		const struct config_preset *p = config_presets_at(i);

		fprintf(out, "  # %s\n  # for the lists: %s\n  %s:\n", p->symptom, p->lists,
			p->word);
		put_list(out, slice_of_str(p->yaml));
	}
	return 0;
}

static int print(const char *path, FILE *out, FILE *err)
{
	struct outbuf text = outbuf_of(malloc(PRINT_MAX), PRINT_MAX);
	struct config_errors errors = {0};
	struct config *c = NULL;
	int rc = text.p != NULL ? config_load(&c, path, NULL, NULL, &errors) : -ENOMEM;

	config_errors_print(&errors, err);
	if (rc == 0)
		rc = config_rules_print(&text, c);
	if (rc == 0)
		fwrite(text.p, 1, text.len, out);
	else if (rc != -EINVAL)
		fprintf(err, "%s: error: %s\n", path, strerrordesc_np(-rc));
	config_free(c);
	config_errors_free(&errors);
	free(text.p);
	return rc == 0 ? 0 : 1;
}

int rules_command(int argc, char **argv, FILE *out, FILE *err)
{
	if (argc == 3 && strcmp(argv[0], "convert") == 0)
		return convert(argv[1], argv[2], out, err);
	if (argc == 1 && strcmp(argv[0], "presets") == 0)
		return presets(out);
	if (argc == 2 && strcmp(argv[0], "print") == 0)
		return print(argv[1], out, err);
	fprintf(err, "usage:\n%s", rules_usage);
	return 2;
}
