// SPDX-License-Identifier: BSD-3-Clause
// Whether the devices that a configuration names are on this machine, as far as the kernel tells
// without opening them. A command; before any other thread.
#pragma once

#include <stdio.h>

#include "config/config.h"

// One warning a port to `err`, "PATH:LINE: warning: ...", for what will keep it from opening: no
// such PCI device or interface, a PCI device that the kernel's own driver holds, a name that is
// none of DPDK's. Says nothing about devices that the kernel does not know (net_memif, net_pcap).
// root - where to look instead of /sys; NULL: there. Returns how many warnings.
unsigned devices_check(const struct config *config, const char *path, const char *root, FILE *err);
