// SPDX-License-Identifier: BSD-3-Clause
// Questions about a snapshot: names, and the addresses and ways of a port.
// Any thread; pure. The index of names is built by the loader.
#include "config/config.h"

#include <errno.h>

#include "config/config_value.h"

#define FIND(c, list, n, wanted)                                                    \
	for (uint32_t i = 0; i < (c)->n; i++)                                       \
		if (!(c)->list[i].gone && strcmp((c)->list[i].name, (wanted)) == 0) \
			return (int)i;                                              \
	return -ENOENT

// FNV-1a
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != 0; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h ^ h >> 15;
}

int config_names_build(struct config *c, struct config_text *t)
{
	uint32_t size = 16;
	uint16_t *names;

	while (size < 2 * c->n_trunks)
		size *= 2;
	names = config_schema_alloc(t, size * sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	memset(names, 0xff, size * sizeof(*names)); // CONFIG_NONE: empty
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		uint32_t at = name_hash(c->trunks[i].name) & (size - 1);

		while (names[at] != CONFIG_NONE)
			at = (at + 1) & (size - 1);
		names[at] = (uint16_t)i;
	}
	c->names = names;
	c->names_mask = size - 1;
	return 0;
}

int config_trunk_find(const struct config *c, const char *name)
{
	uint32_t at = name_hash(name) & c->names_mask;

	for (; c->names != NULL && c->names[at] != CONFIG_NONE; at = (at + 1) & c->names_mask) {
		const struct config_trunk *t = &c->trunks[c->names[at]];

		if (strcmp(t->name, name) == 0)
			return t->gone ? -ENOENT : t->id;
	}
	return -ENOENT;
}

int config_port_find(const struct config *c, const char *name)
{
	FIND(c, ports, n_ports, name);
}

int config_profile_find(const struct config *c, const char *name)
{
	FIND(c, profiles, n_profiles, name);
}

const struct config_net *config_port_address(const struct config_port *port, uint8_t family)
{
	for (uint32_t i = 0; i < port->addresses.n; i++)
		if (port->addresses.list[i].ip.family == family)
			return &port->addresses.list[i];
	return NULL;
}

const struct config_ip *config_port_next_hop(const struct config_port *port,
					     const struct config_ip *peer)
{
	bool link_local =
		peer->family == 6 && peer->bytes[0] == 0xfe && (peer->bytes[1] & 0xc0) == 0x80;

	for (uint32_t i = 0; i < port->addresses.n; i++)
		if (config_value_in_net(&port->addresses.list[i], peer))
			return peer;
	if (link_local)
		return peer;
	for (uint32_t i = 0; i < port->gateways.n; i++)
		if (port->gateways.list[i].family == peer->family)
			return &port->gateways.list[i];
	return NULL;
}

bool config_port_is_own(const struct config_port *port, const struct config_ip *ip)
{
	for (uint32_t i = 0; i < port->addresses.n; i++)
		if (config_value_same_ip(&port->addresses.list[i].ip, ip))
			return true;
	return false;
}
