// SPDX-License-Identifier: BSD-3-Clause
// See devices.h. Source of the paths: Linux, Documentation/ABI/testing/sysfs-bus-pci,
// sysfs-class-net.
#include "control/devices.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 64

// Drivers of the kernel that DPDK works through or beside; every other one keeps the device.
static const char *const good_drivers[] = {"vfio-pci",	"igb_uio",   "uio_pci_generic",
					   "mlx4_core", "mlx5_core", "mana"};

struct place {
	const struct config_port *port;
	const char *path, *root;
	FILE *err;
};

__attribute__((format(printf, 2, 3))) static unsigned warn(const struct place *at,
							   const char *format, ...)
{
	va_list args;

	fprintf(at->err, "%s:%u: warning: device of port %s: ", at->path, at->port->line,
		at->port->name);
	va_start(args, format);
	// NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above
	vfprintf(at->err, format, args);
	va_end(args);
	fputc('\n', at->err);
	return 1;
}

// The device's address as the kernel writes it; false if it is none.
static bool pci_address(const char *device, char *to, size_t size)
{
	size_t n = strcspn(device, ",");
	unsigned colons = 0;

	for (size_t i = 0; i < n; i++) {
		colons += device[i] == ':';
		if (!isxdigit((unsigned char)device[i]) && device[i] != ':' && device[i] != '.')
			return false;
	}
	if (colons < 1 || colons > 2 || n < 2 || device[n - 2] != '.')
		return false;
	return snprintf(to, size, "%s%.*s", colons == 1 ? "0000:" : "", (int)n, device) < (int)size;
}

static unsigned check_pci(const struct place *at, const char *address)
{
	char path[256], target[256];
	const char *driver = NULL;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", at->root, address);
	if (access(path, F_OK) != 0)
		return warn(at, "this machine has no PCI device %s; lspci -D lists what it has",
			    address);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", at->root, address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		driver = strrchr(target, '/');
		driver = driver != NULL ? driver + 1 : target;
		for (size_t i = 0; i < sizeof(good_drivers) / sizeof(good_drivers[0]); i++)
			if (strcmp(driver, good_drivers[i]) == 0)
				return 0;
	}
	return warn(at, "%s is bound to %s%s; dpdk-devbind.py --bind=vfio-pci %s gives it to verge",
		    address, driver != NULL ? "the kernel's driver " : "no driver",
		    driver != NULL ? driver : "", address);
}

static unsigned check_interface(const struct place *at, const char *args)
{
	const char *key = strstr(args, "iface=");
	char path[256], name[NAME_MAX_LEN];

	if (key == NULL)
		return warn(at, "%s needs iface=NAME, the kernel's interface", args);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(key + 6, ","), key + 6);
	snprintf(path, sizeof(path), "%s/class/net/%s", at->root, name);
	if (access(path, F_OK) == 0)
		return 0;
	return warn(at, "this machine has no interface \"%s\"; ip link lists what it has", name);
}

static unsigned check(const struct place *at)
{
	const char *device = at->port->device;
	char name[NAME_MAX_LEN];

	if (pci_address(device, name, sizeof(name)))
		return check_pci(at, name);
	if (strncmp(device, "net_af_packet", 13) == 0 || strncmp(device, "net_af_xdp", 10) == 0)
		return check_interface(at, device);
	if (strncmp(device, "net_", 4) == 0 || strchr(device, ':') != NULL)
		return 0;
	return warn(at,
		    "\"%s\" is no device of DPDK; for the kernel's interface write "
		    "net_af_packet%u,iface=%s",
		    device, at->port->id, device);
}

unsigned devices_check(const struct config *config, const char *path, const char *root, FILE *err)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		struct place at = {&config->ports[i], path, root != NULL ? root : "/sys", err};

		if (!at.port->gone)
			n += check(&at);
	}
	return n;
}
