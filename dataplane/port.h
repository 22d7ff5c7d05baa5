// SPDX-License-Identifier: BSD-3-Clause
// Devices of DPDK and the ports of the configuration that lie on them. Several ports may share a
// device with different VLAN ids.
// Thread: control at start and stop; afterwards read by workers, and device->links by control.
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/outbuf.h"
#include "base/sip_buf.h"
#include "config/config.h"

struct rte_mempool;
struct rte_ring;

#define PORT_QUEUES_MAX	   64
#define PORT_TX_RING	   1024
#define PORT_ADDRESSES_MAX 32

// A port of the configuration: what the packet path asks about it. Its id is struct flow's port.
struct port {
	struct device *device; // NULL: the configuration has no such port any more
	uint16_t vlan, mtu, sip_port;
	uint8_t id;
	uint8_t n_own;
	// Own addresses as they were at the start: they need a restart to change, and outlive the
	// snapshot that they come from.
	struct config_net own[PORT_ADDRESSES_MAX];
	char name[64];
};

struct device {
	char name[64];	  // what EAL calls it
	const char *args; // as configured; only valid during port_open_all()
	uint16_t dpdk;	  // ethdev port id
	uint8_t index;	  // in devices.device
	uint8_t mac[6];
	uint8_t n_rxq, n_txq;
	bool attached; // probed by us: removed at stop
	bool started;
	bool udp_sum_tx;  // device completes the UDP checksum
	bool sum_partial; // packets of this machine's kernel come with partial checksums
	uint8_t n_ports;
	struct port *ports[CONFIG_MAX_PORTS]; // that lie on it, by VLAN id
	// Where workers without a transmit queue of their own put packets; owner of queue q is
	// worker q. NULL where there is none such.
	struct rte_ring *tx_ring[PORT_QUEUES_MAX];
	// The kernel's interface below it and its number at start; 0: none. Control only.
	char iface[16];
	unsigned ifindex;
	// W: control, R: control
	bool link_up;
	uint64_t link_changes;
};

struct devices {
	struct device device[CONFIG_MAX_PORTS];
	struct port port[CONFIG_MAX_PORTS]; // index: id of the configured port
	uint32_t n_devices, n_ports;
};

// Find, probe, configure and start all devices of a configuration.
// In:     rx_small, rx_large - pools of receive buffers, the second one for MTUs above the first's
//         room.
// Errors: -errno; *why says which port and what would be right. What was started is stopped.
int port_open_all(struct devices *d, const struct config *c, unsigned workers,
		  struct rte_mempool *rx_small, struct rte_mempool *rx_large, struct outbuf *why);
void port_close_all(struct devices *d);

// The worker that polls a receive queue.
static inline unsigned port_rx_worker(unsigned queue, unsigned workers)
{
	return queue % workers;
}

// Read link states; returns how many changed. Control thread; may make system calls.
unsigned port_poll_links(struct devices *d);

// The port on this device with that tag; NULL if there is none.
static inline struct port *port_by_vlan(const struct device *d, uint16_t vlan)
{
	for (unsigned i = 0; i < d->n_ports; i++)
		if (d->ports[i]->vlan == vlan)
			return d->ports[i];
	return NULL;
}

// Whether an address (network byte order) is one of the port's own.
static inline bool port_is_own(const struct port *p, unsigned family, const uint8_t *ip)
{
	for (unsigned i = 0; i < p->n_own; i++)
		if (p->own[i].ip.family == family &&
		    memcmp(p->own[i].ip.bytes, ip, family == 4 ? 4 : 16) == 0)
			return true;
	return false;
}

// The address that questions about neighbours are asked from; NULL if the port has none of the
// family.
static inline const struct config_ip *port_own(const struct port *p, unsigned family)
{
	for (unsigned i = 0; i < p->n_own; i++)
		if (p->own[i].ip.family == family)
			return &p->own[i].ip;
	return NULL;
}
