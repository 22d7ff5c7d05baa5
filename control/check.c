// SPDX-License-Identifier: BSD-3-Clause
// `verge --check` and `verge --print-config`. A command; runs before any other thread.
#include "control/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_policy.h"
#include "control/devices.h"

#define PREVIEW_MAX (8u << 20)
#define PRINT_MAX   (128u << 10)

void check_machine(struct config_machine *machine)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF), pages = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	machine->cpus = cpus > 0 ? (uint32_t)cpus : 0;
	machine->memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

static int preview(const struct config *c, FILE *out)
{
	struct outbuf text = outbuf_of(malloc(PREVIEW_MAX), PREVIEW_MAX);
	int rc;

	if (text.p == NULL)
		return -ENOMEM;
	rc = config_policy_preview(&text, c);
	fwrite(text.p, 1, text.len, out);
	if (rc == -ENOSPC)
		fputs("... and more: the table of so many profiles was cut\n", out);
	free(text.p);
	return 0;
}

// What cannot be a file of CDRs, before it is opened.
static void check_cdr(const struct config *c, const char *path, FILE *err)
{
	struct stat st;

	if (c->cdr.file[0] != '\0' && stat(c->cdr.file, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISCHR(st.st_mode))
		fprintf(err,
			"%s: warning: cdr.file is %s, which is no regular file: no CDR would be "
			"written\n",
			path, c->cdr.file);
}

int check_run(const char *path, FILE *out, FILE *err)
{
	struct config_machine machine;
	struct config_errors errors = {0};
	struct config *c;
	int rc;

	check_machine(&machine);
	rc = config_load(&c, path, NULL, &machine, &errors);
	config_errors_print(&errors, err);
	if (rc == -ENOMEM)
		fprintf(err, "%s: error: out of memory\n", path);
	if (rc == 0)
		(void)devices_check(c, path, NULL, err);
	if (rc == 0)
		check_cdr(c, path, err);
	if (rc == 0)
		rc = preview(c, out);
	if (rc == 0)
		fprintf(out,
			"%s: good; %u ports, %u trunks, %u routes; %u calls take about %llu MiB\n",
			path, c->n_ports, c->n_trunks, c->n_routes, c->system.capacity.calls,
			(unsigned long long)(config_memory(c) >> 20));
	config_free(c);
	config_errors_free(&errors);
	return rc == 0 ? 0 : 1;
}

int check_print(FILE *out)
{
	struct outbuf text = outbuf_of(malloc(PRINT_MAX), PRINT_MAX);
	int rc = text.p != NULL ? config_print(&text) : -ENOMEM;

	if (rc == 0 && fwrite(text.p, 1, text.len, out) != text.len)
		rc = -EIO;
	free(text.p);
	return rc == 0 ? 0 : 1;
}
