// SPDX-License-Identifier: BSD-3-Clause
// The environment abstraction layer of DPDK: its arguments made from the configuration, so that an
// operator never writes one.
// Thread: control, once in a process.
#pragma once

#include "base/outbuf.h"
#include "config/config.h"

// Start EAL: the calling thread becomes the main lcore, lcore 1 + i is worker i.
// In:     bytes - memory that packet buffers and rings will take from it: [0] of ordinary pages,
//         [1] of hugepages.
// Out:    *hugepages - whether memory comes from hugepages.
// Errors: -ENOMEM hugepages are required and too few are free; -EINVAL an argument of system.eal or
// a
//         CPU that is not there; -EALREADY it was started before. *why says more.
int eal_start(const struct config *c, const uint64_t bytes[2], bool *hugepages, struct outbuf *why);
void eal_stop(void);

// Hugepage memory that is free on this machine, in bytes.
uint64_t eal_free_hugepages(void);

// Whether a configured device is a PCI address (0000:3b:00.1 or 3b:00.1, arguments may follow).
bool eal_device_is_pci(const char *device);
