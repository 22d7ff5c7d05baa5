// SPDX-License-Identifier: BSD-3-Clause
// EAL's arguments from the configuration. See eal.h.
#include "dataplane/eal.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#define EAL_ARGS_MAX 64
#define EAL_TEXT_MAX 4096
#define HUGEPAGES    "/sys/kernel/mm/hugepages"

struct eal_args {
	char *argv[EAL_ARGS_MAX + 1];
	int argc;
	struct outbuf text; // the arguments, each with its NUL
};

// EAL keeps pointers to its arguments.
static char eal_text[EAL_TEXT_MAX];

static void arg(struct eal_args *a, const char *text)
{
	if (a->argc == EAL_ARGS_MAX) {
		a->text.full = true;
		return;
	}
	a->argv[a->argc++] = (char *)a->text.p + a->text.len;
	outbuf_put(&a->text, text, strlen(text) + 1);
}

static uint64_t read_u64(const char *dir, const char *file)
{
	char path[512];
	unsigned long long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), HUGEPAGES "/%s/%s", dir, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &v) != 1) // NOLINT(cert-err34-c): the kernel writes it
		v = 0;
	fclose(f);
	return v;
}

uint64_t eal_free_hugepages(void)
{
	static const char prefix[] = "hugepages-";
	DIR *dir = opendir(HUGEPAGES);
	uint64_t bytes = 0;

	if (dir == NULL)
		return 0;
	// NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		if (strncmp(e->d_name, prefix, sizeof(prefix) - 1) == 0)
			bytes += strtoull(e->d_name + sizeof(prefix) - 1, NULL, 10) * 1024 *
				 read_u64(e->d_name, "free_hugepages");
	closedir(dir);
	return bytes;
}

bool eal_device_is_pci(const char *device)
{
	// [domain:]bus:device.function
	unsigned colons = 0;
	const char *p = device;

	for (; isxdigit((unsigned char)*p) || *p == ':'; p++)
		colons += *p == ':';
	return colons >= 1 && colons <= 2 && *p == '.' && p[1] >= '0' && p[1] <= '7' &&
	       (p[2] == 0 || p[2] == ',');
}

static void arg_lcores(struct eal_args *a, const struct config *c)
{
	char text[1024];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);

	outbuf_put_lit(&o, "0@");
	outbuf_put_u64(&o, c->system.control_core);
	for (uint32_t i = 0; i < c->system.workers.n; i++) {
		outbuf_put_char(&o, ',');
		outbuf_put_u64(&o, i + 1);
		outbuf_put_char(&o, '@');
		outbuf_put_u64(&o, c->system.workers.list[i]);
	}
	text[o.len] = 0;
	a->text.full |= o.full;
	arg(a, "--lcores");
	arg(a, text);
	arg(a, "--main-lcore");
	arg(a, "0");
}

static void arg_devices(struct eal_args *a, const struct config *c)
{
	bool pci = false;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		if (c->ports[i].gone || !eal_device_is_pci(c->ports[i].device))
			continue;
		pci = true;
		arg(a, "-a");
		arg(a, c->ports[i].device);
	}
	if (!pci)
		arg(a, "--no-pci");
}

static void arg_memory(struct eal_args *a, bool hugepages, uint64_t bytes)
{
	char mib[24];

	if (hugepages) {
		arg(a, "--in-memory");
		return;
	}
	// Without hugepages EAL takes all its memory at start: what is asked and a quarter for its
	// own tables and for what alignment costs.
	snprintf(mib, sizeof(mib), "%llu",
		 (unsigned long long)(bytes + bytes / 4 + (64 << 20)) >> 20);
	arg(a, "--no-huge");
	arg(a, "--no-shconf");
	arg(a, "-m");
	arg(a, mib);
}

static int choose_hugepages(const struct config *c, uint64_t bytes, bool *use, struct outbuf *why)
{
	uint64_t left = eal_free_hugepages();

	*use = c->system.hugepages != CONFIG_HUGEPAGES_NONE && left >= bytes + bytes / 8;
	if (*use || c->system.hugepages != CONFIG_HUGEPAGES_REQUIRED)
		return 0;
	outbuf_put_str(why, "system.hugepages is required: ");
	outbuf_put_u64(why, (bytes + bytes / 8) >> 20);
	outbuf_put_str(why, " MiB are needed, ");
	outbuf_put_u64(why, left >> 20);
	outbuf_put_str(why, " MiB are free (raise vm.nr_hugepages, or take auto)");
	return -ENOMEM;
}

// The libraries behind AF_XDP write to stderr what they try and do without; what matters comes back
// as an error of the device.
static void hush_libraries(void)
{
	static const struct {
		const char *library, *setter;
	} rows[] = {{"libbpf.so.1", "libbpf_set_print"}, {"libxdp.so.1", "libxdp_set_print"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *library = dlopen(rows[i].library, RTLD_NOW | RTLD_NOLOAD);
		void *(*set_print)(void *);
		void *symbol;

		if (library == NULL)
			continue;
		symbol = dlsym(library, rows[i].setter);
		memcpy(&set_print, &symbol, sizeof(set_print));
		if (set_print != NULL)
			set_print(NULL);
		dlclose(library);
	}
}

int eal_start(const struct config *c, const uint64_t bytes[2], bool *hugepages, struct outbuf *why)
{
	struct eal_args a = {.text = outbuf_of(eal_text, sizeof(eal_text))};
	char prefix[32];
	int rc = choose_hugepages(c, bytes[1], hugepages, why);

	if (rc != 0)
		return rc;
	snprintf(prefix, sizeof(prefix), "verge-%d", (int)getpid());
	arg(&a, "verge");
	arg_lcores(&a, c);
	arg_devices(&a, c);
	arg_memory(&a, *hugepages, bytes[*hugepages]);
	arg(&a, "--file-prefix");
	arg(&a, prefix);
	arg(&a, "--no-telemetry");
	arg(&a, "--log-level");
	arg(&a, "*:error");
	for (uint32_t i = 0; i < c->system.eal.n; i++)
		arg(&a, c->system.eal.list[i]);
	if (a.text.full) {
		outbuf_put_str(why, "system.eal has too many arguments");
		return -EINVAL;
	}
	rc = rte_eal_init(a.argc, a.argv);
	// EAL makes this directory for what processes share, and leaves it: here it stays empty.
	(void)rmdir(rte_eal_get_runtime_dir());
	if (rc >= 0) {
		hush_libraries();
		return 0;
	}
	rc = rte_errno == EALREADY ? -EALREADY : -EINVAL;
	outbuf_put_str(why, "DPDK does not start (");
	outbuf_put_str(why, rte_strerror(rte_errno));
	outbuf_put_str(why, "); do the CPUs of system.workers and control_core exist?");
	return rc;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
