// SPDX-License-Identifier: BSD-3-Clause
// control/devices: what --check says about a device, with a /sys of the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config_load.h"
#include "control/devices.h"

static const struct {
	const char *shows, *device, *says; // says NULL: nothing
} rows[] = {
	{"PCI, given to user space", "0000:01:00.0", NULL},
	{"without its domain, with arguments", "01:00.0,q=1", NULL},
	{"PCI, a driver that shares", "0000:01:00.1", NULL},
	{"PCI, the kernel's", "0000:01:00.2",
	 "is bound to the kernel's driver ixgbe; dpdk-devbind.py"},
	{"PCI, nobody's", "0000:01:00.3", "is bound to no driver"},
	{"PCI, not there", "0000:02:00.0", "no PCI device 0000:02:00.0; lspci"},
	{"interface", "net_af_packet0,iface=eth1", NULL},
	{"interface not there", "net_af_xdp3,iface=eth7,queues=1",
	 "no interface \"eth7\"; ip link"},
	{"interface not named", "net_af_packet0", "needs iface=NAME"},
	{"the kernel's name", "eth1", "for the kernel's interface write net_af_packet0,iface=eth1"},
	{"no kernel's business", "net_memif0,role=client", NULL},
	{"another bus", "vmbus:deadbeef", NULL},
};

static const struct {
	const char *address, *driver;
} sys_pci[] = {
	{"0000:01:00.0", "../drivers/vfio-pci"},
	{"0000:01:00.1", "../drivers/mlx5_core"},
	{"0000:01:00.2", "../drivers/ixgbe"},
	{"0000:01:00.3", NULL},
};

static char root[] = "/tmp/verge-sys-XXXXXX";

static void make(const char *path, char *to, size_t size)
{
	snprintf(to, size, "%s/%s", root, path);
	assert_int_equal(mkdir(to, 0755), 0);
}

static int make_sys(void **state)
{
	char path[512], link[256], driver[1024];

	(void)state;
	assert_non_null(mkdtemp(root));
	make("class", path, sizeof(path));
	make("class/net", path, sizeof(path));
	make("class/net/eth1", path, sizeof(path));
	make("bus", path, sizeof(path));
	make("bus/pci", path, sizeof(path));
	make("bus/pci/devices", path, sizeof(path));
	for (size_t i = 0; i < sizeof(sys_pci) / sizeof(sys_pci[0]); i++) {
		snprintf(link, sizeof(link), "bus/pci/devices/%s", sys_pci[i].address);
		make(link, path, sizeof(path));
		snprintf(driver, sizeof(driver), "%s/driver", path);
		if (sys_pci[i].driver != NULL)
			assert_int_equal(symlink(sys_pci[i].driver, driver), 0);
	}
	return 0;
}

static int remove_sys(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe): a path of our own
}

static void says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_errors errors = {0};
		char yaml[512], said[1024] = "";
		FILE *err = fmemopen(said, sizeof(said), "w");
		struct config *c;
		unsigned n;

		snprintf(yaml, sizeof(yaml),
			 "ports:\n  a: { device: \"%s\", addresses: [10.0.0.1/24] }\n"
			 "trunks: { t: { port: a, peers: [10.0.0.2:5060] } }\n"
			 "routes: [{ to: [t] }]\n",
			 rows[i].device);
		assert_int_equal(config_load_text(&c, slice_of(yaml, strlen(yaml)), "x", NULL, NULL,
						  &errors),
				 0);
		n = devices_check(c, "x.yaml", root, err);
		fclose(err);
		if (n != (rows[i].says != NULL) ||
		    (n != 0 && (strstr(said, rows[i].says) == NULL ||
				strncmp(said, "x.yaml:2: warning: device of port a: ", 37) != 0)))
			fail_msg("%s: \"%s\"", rows[i].shows, said);
		config_free(c);
		config_errors_free(&errors);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(says)};

	return cmocka_run_group_tests_name("devices", tests, make_sys, remove_sys);
}
