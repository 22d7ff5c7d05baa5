// SPDX-License-Identifier: BSD-3-Clause
// Devices of DPDK and the ports on them. See port.h.
#include "dataplane/port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/mbuf.h"
#include "frame/frame.h"

#define PORT_RX_DESC 1024
#define PORT_TX_DESC 1024

struct port_plan {
	unsigned workers;
	struct rte_mempool *rx_small, *rx_large;
	struct outbuf *why;
};

static int refuse(struct outbuf *why, const struct device *d, const char *what, int rc)
{
	outbuf_put_str(why, "device \"");
	outbuf_put_str(why, d->args);
	outbuf_put_str(why, "\" of port ");
	outbuf_put_str(why, d->ports[0]->name);
	outbuf_put_str(why, ": ");
	outbuf_put_str(why, what);
	if (rc != -1) { // which is what drivers say for anything, not EPERM
		outbuf_put_str(why, " (");
		outbuf_put_str(why, rte_strerror(rc < 0 ? -rc : rc));
		outbuf_put_str(why, ")");
	}
	return rc < 0 ? rc : -EINVAL;
}

// What EAL calls the device: the text before the comma, of PCI devices with their domain.
static void device_name(struct device *d)
{
	unsigned colons = 0;
	size_t n = strcspn(d->args, ",");

	for (size_t i = 0; i < n; i++)
		colons += d->args[i] == ':';
	snprintf(d->name, sizeof(d->name), "%s%.*s",
		 eal_device_is_pci(d->args) && colons == 1 ? "0000:" : "", (int)n, d->args);
}

static void find_interface(struct device *d)
{
	const char *at = strstr(d->args, "iface=");

	if (at == NULL)
		return;
	at += strlen("iface=");
	snprintf(d->iface, sizeof(d->iface), "%.*s", (int)strcspn(at, ","), at);
	d->ifindex = if_nametoindex(d->iface);
}

// AF_PACKET and AF_XDP always say that they are up: the kernel is asked. An interface that came
// back under its name is another one, which the driver does not see.
static bool interface_up(const struct device *d)
{
	struct ifreq ask = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = false;

	if (fd < 0)
		return true; // nobody knows
	memcpy(ask.ifr_name, d->iface, sizeof(ask.ifr_name));
	if (ioctl(fd, SIOCGIFINDEX, &ask) == 0 && (unsigned)ask.ifr_ifindex == d->ifindex &&
	    ioctl(fd, SIOCGIFFLAGS, &ask) == 0)
		up = (ask.ifr_flags & IFF_RUNNING) != 0;
	close(fd);
	return up;
}

// The kernel puts fragmented IPv4 packets together before AF_PACKET shows them (the driver asks it
// to, to spread them over queues): its frames must hold a whole packet, or its end is cut off.
static bool takes_whole_packets(const struct device *d)
{
	return strncmp(d->name, "net_af_packet", 13) == 0;
}

static int find(struct device *d, struct outbuf *why)
{
	char args[512];
	int rc;

	if (rte_eth_dev_get_port_by_name(d->name, &d->dpdk) == 0)
		return 0;
	snprintf(args, sizeof(args), "%s%s", d->args,
		 takes_whole_packets(d) && strstr(d->args, "framesz") == NULL
			 ? ",blocksz=65536,framesz=16384,framecnt=512"
			 : "");
	rc = rte_dev_probe(args);
	if (rc != 0)
		return refuse(why, d,
			      "DPDK cannot open it; is its interface there and its driver "
			      "installed, and may verge open it?",
			      rc);
	d->attached = true;
	rc = rte_eth_dev_get_port_by_name(d->name, &d->dpdk);
	return rc == 0 ? 0 : refuse(why, d, "is no network device", rc);
}

static bool is_virtual(const struct rte_eth_dev_info *info)
{
	const struct rte_bus *bus = rte_bus_find_by_device(info->device);

	return bus != NULL && strcmp(rte_bus_name(bus), "vdev") == 0;
}

// Virtual devices without RSS (fanout of AF_PACKET, queues of an interface under AF_XDP, memif)
// spread over all the queues that they have been given; what has RSS (a NIC, net_tap) over as many
// as told.
static void choose_queues(struct device *d, const struct rte_eth_dev_info *info, unsigned workers)
{
	bool rss = (info->flow_type_rss_offloads & RTE_ETH_RSS_UDP) != 0;
	unsigned rx = workers, tx = workers;

	if (!rss && is_virtual(info) && info->max_rx_queues <= PORT_QUEUES_MAX) {
		rx = info->max_rx_queues;
		tx = info->max_tx_queues;
	} else if (!rss) {
		rx = 1;
	}
	d->n_rxq = (uint8_t)RTE_MIN(RTE_MIN(rx, info->max_rx_queues), PORT_QUEUES_MAX);
	d->n_txq = (uint8_t)RTE_MIN(RTE_MIN(tx, info->max_tx_queues), PORT_QUEUES_MAX);
}

static void choose_offloads(struct device *d, const struct rte_eth_dev_info *info,
			    struct rte_eth_conf *conf)
{
	uint64_t rss = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP; // fragments are among the former

	conf->rxmode.offloads = info->rx_offload_capa &
				(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	d->udp_sum_tx = conf->txmode.offloads != 0;
	if (d->n_rxq > 1 && (info->flow_type_rss_offloads & rss) != 0) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = rss & info->flow_type_rss_offloads;
	}
}

static uint16_t largest_mtu(const struct device *d)
{
	uint16_t mtu = 0;

	for (unsigned i = 0; i < d->n_ports; i++)
		mtu = RTE_MAX(mtu, d->ports[i]->mtu);
	return mtu;
}

static int set_queues(struct device *d, const struct port_plan *plan)
{
	uint16_t rxd = PORT_RX_DESC, txd = PORT_TX_DESC;
	bool large = takes_whole_packets(d) || largest_mtu(d) > MBUF_SMALL_ROOM - FRAME_HEADERS_MAX;
	struct rte_mempool *pool = large ? plan->rx_large : plan->rx_small;
	int socket = rte_eth_dev_socket_id(d->dpdk);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(d->dpdk, &rxd, &txd);

	for (uint16_t q = 0; rc == 0 && q < d->n_rxq; q++)
		rc = rte_eth_rx_queue_setup(d->dpdk, q, rxd, (unsigned)socket, NULL, pool);
	for (uint16_t q = 0; rc == 0 && q < d->n_txq; q++)
		rc = rte_eth_tx_queue_setup(d->dpdk, q, txd, (unsigned)socket, NULL);
	return rc;
}

// Interfaces of the kernel keep their own MTU unless a port wants a longer one; a NIC gets what the
// ports want. One that refuses keeps its own: longer frames then fail and are counted.
static void set_mtu(struct device *d)
{
	uint16_t mtu = 0, want = largest_mtu(d);

	if (rte_eth_dev_get_mtu(d->dpdk, &mtu) == 0 && mtu < want)
		rte_eth_dev_set_mtu(d->dpdk, want);
}

// Frames to the groups of solicited nodes must come in where a port has IPv6 addresses: by the list
// of groups, else by all of them, else by taking everything.
static void join_groups(struct device *d)
{
	struct rte_ether_addr group[CONFIG_MAX_PORTS];
	uint32_t n = 0;

	for (unsigned i = 0; i < d->n_ports; i++) {
		const struct port *p = d->ports[i];

		for (unsigned k = 0; k < p->n_own && n < CONFIG_MAX_PORTS; k++) {
			uint8_t ip[16];

			if (p->own[k].ip.family != 6)
				continue;
			frame_solicited_node(ip, p->own[k].ip.bytes);
			frame_multicast_mac(group[n++].addr_bytes, ip);
		}
	}
	if (n == 0 || rte_eth_dev_set_mc_addr_list(d->dpdk, group, n) == 0 ||
	    rte_eth_allmulticast_enable(d->dpdk) == 0)
		return;
	rte_eth_promiscuous_enable(d->dpdk);
}

static int make_tx_rings(struct device *d, unsigned workers)
{
	char name[RTE_RING_NAMESIZE];

	for (unsigned q = 0; workers > d->n_txq && q < d->n_txq; q++) {
		snprintf(name, sizeof(name), "verge_tx%u_%u", d->index, q);
		d->tx_ring[q] = rte_ring_create(name, PORT_TX_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
		if (d->tx_ring[q] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int start(struct device *d, const struct port_plan *plan)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int rc = rte_eth_dev_info_get(d->dpdk, &info);

	if (rc != 0)
		return refuse(plan->why, d, "does not say what it can do", rc);
	choose_queues(d, &info, plan->workers);
	choose_offloads(d, &info, &conf);
	if (d->n_rxq == 0 || d->n_txq == 0)
		return refuse(plan->why, d, "has no queues", -ENOTSUP);
	rc = rte_eth_dev_configure(d->dpdk, d->n_rxq, d->n_txq, &conf);
	if (rc != 0)
		return refuse(plan->why, d, "does not take its configuration", rc);
	rc = set_queues(d, plan);
	if (rc != 0)
		return refuse(plan->why, d, "does not take its queues", rc);
	set_mtu(d);
	rc = make_tx_rings(d, plan->workers);
	if (rc != 0)
		return refuse(plan->why, d, "no memory for rings", rc);
	rc = rte_eth_dev_start(d->dpdk);
	if (rc != 0)
		return refuse(plan->why, d, "does not start", rc);
	d->started = true;
	find_interface(d);
	join_groups(d);
	rc = rte_eth_macaddr_get(d->dpdk, &mac);
	if (rc != 0)
		return refuse(plan->why, d, "has no station address", rc);
	memcpy(d->mac, mac.addr_bytes, sizeof(d->mac));
	d->sum_partial = strcmp(info.driver_name, "net_af_packet") == 0 ||
			 strcmp(info.driver_name, "net_af_xdp") == 0;
	return 0;
}

static struct device *device_of(struct devices *ds, const struct config_port *p)
{
	struct device *d;

	for (uint32_t i = 0; i < ds->n_devices; i++)
		if (strcmp(ds->device[i].args, p->device) == 0)
			return &ds->device[i];
	d = &ds->device[ds->n_devices];
	*d = (struct device){.args = p->device, .index = (uint8_t)ds->n_devices++};
	device_name(d);
	return d;
}

static void lay_out(struct devices *ds, const struct config *c)
{
	*ds = (struct devices){.n_ports = c->n_ports};
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct config_port *p = &c->ports[i];
		struct device *d;

		if (p->gone)
			continue;
		d = device_of(ds, p);
		ds->port[i] = (struct port){
			.device = d,
			.vlan = (uint16_t)p->vlan,
			.mtu = (uint16_t)p->mtu,
			.sip_port = (uint16_t)p->sip_port,
			.id = (uint8_t)i,
			.n_own = (uint8_t)RTE_MIN(p->addresses.n, PORT_ADDRESSES_MAX),
		};
		memcpy(ds->port[i].own, p->addresses.list,
		       ds->port[i].n_own * sizeof(p->addresses.list[0]));
		snprintf(ds->port[i].name, sizeof(ds->port[i].name), "%s", p->name);
		d->ports[d->n_ports++] = &ds->port[i];
	}
}

int port_open_all(struct devices *ds, const struct config *c, unsigned workers,
		  struct rte_mempool *rx_small, struct rte_mempool *rx_large, struct outbuf *why)
{
	const struct port_plan plan = {workers, rx_small, rx_large, why};
	int rc = 0;

	lay_out(ds, c);
	for (uint32_t i = 0; rc == 0 && i < ds->n_devices; i++) {
		rc = find(&ds->device[i], why);
		if (rc == 0)
			rc = start(&ds->device[i], &plan);
	}
	if (rc != 0) {
		port_close_all(ds);
		return rc;
	}
	port_poll_links(ds);
	for (uint32_t i = 0; i < ds->n_devices; i++)
		ds->device[i].link_changes = 0;
	return 0;
}

static void close_device(struct device *d)
{
	if (d->started) {
		rte_eth_dev_stop(d->dpdk);
		rte_eth_dev_close(d->dpdk);
	}
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		rte_ring_free(d->tx_ring[q]);
	d->started = false;
}

void port_close_all(struct devices *ds)
{
	for (uint32_t i = 0; i < ds->n_devices; i++)
		close_device(&ds->device[i]);
	ds->n_devices = 0;
}

unsigned port_poll_links(struct devices *ds)
{
	unsigned changed = 0;

	for (uint32_t i = 0; i < ds->n_devices; i++) {
		struct device *d = &ds->device[i];
		struct rte_eth_link link = {0};
		bool up;

		if (rte_eth_link_get_nowait(d->dpdk, &link) != 0)
			link.link_status = RTE_ETH_LINK_DOWN;
		up = link.link_status == RTE_ETH_LINK_UP && (d->ifindex == 0 || interface_up(d));
		if (up == d->link_up)
			continue;
		d->link_up = up;
		d->link_changes++;
		changed++;
	}
	return changed;
}
