// SPDX-License-Identifier: BSD-3-Clause
// Who is who in a capture. See roles.h.
#include "control/replay/roles.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/list.h"
#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/uri.h"

static uint32_t hash_of(struct slice s)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h;
}

struct recorded *roles_leg(const struct roles *r, struct slice call_id)
{
	for (uint32_t i = hash_of(call_id) & r->mask; r->hash[i] != 0; i = (i + 1) & r->mask)
		if (slice_eq(r->leg[r->hash[i] - 1]->call_id, call_id))
			return r->leg[r->hash[i] - 1];
	return NULL;
}

static struct recorded *new_leg(struct roles *r, const struct captured *m)
{
	struct region *region = &r->capture->region;
	struct recorded *leg = region_alloc(region, sizeof(*leg));
	uint32_t i = hash_of(m->call_id) & r->mask;

	r->leg = region_grow(region, r->leg, r->n, sizeof(struct recorded *));
	r->leg[r->n++] = leg;
	while (r->hash[i] != 0)
		i = (i + 1) & r->mask;
	r->hash[i] = r->n;
	leg->call_id = m->call_id;
	leg->invite = UINT32_MAX;
	leg->outgoing = m->out == (m->status == 0);
	return leg;
}

static bool is_at(const struct config_ip *ip, uint8_t family, const uint8_t *bytes)
{
	return ip->family == family && memcmp(ip->bytes, bytes, family == 4 ? 4 : 16) == 0;
}

// The port whose address this is, by --as or by the configuration; -1: none.
static int port_of(const struct roles *r, uint8_t family, const uint8_t *ip, uint16_t udp)
{
	struct config_ip own = {.family = family};

	memcpy(own.bytes, ip, sizeof(own.bytes));
	for (unsigned i = 0; i < r->n_as; i++)
		if (is_at(&r->as[i].at.ip, family, ip) &&
		    (r->as[i].at.udp == 0 || r->as[i].at.udp == udp))
			return r->as[i].port;
	for (uint32_t i = 0; i < r->config->n_ports; i++)
		if (!r->config->ports[i].gone && r->config->ports[i].sip_port == udp &&
		    config_port_is_own(&r->config->ports[i], &own))
			return (int)i;
	return -1;
}

bool roles_flow(const struct roles *r, const struct captured *m, struct flow *flow)
{
	const struct config_port *port = &r->config->ports[m->port];
	const struct config_net *own = config_port_address(port, m->at.family);

	if (own == NULL)
		return false;
	*flow = (struct flow){.port = m->port,
			      .family = m->at.family,
			      .local_udp = (uint16_t)port->sip_port,
			      .peer_udp = m->out ? m->at.dst_udp : m->at.src_udp};
	memcpy(flow->local_ip, own->ip.bytes, sizeof(flow->local_ip));
	memcpy(flow->peer_ip, m->out ? m->at.dst : m->at.src, sizeof(flow->peer_ip));
	return true;
}

struct slice roles_user(struct slice message, enum sip_header id)
{
	struct sip_msg msg;
	struct sip_name_addr party;
	struct sip_uri uri;

	(void)sip_msg_parse(&msg, message);
	if (!sip_msg_has(&msg, id) || sip_name_addr_uri_of(&msg, id, &party, &uri) != 0)
		return SLICE_NONE;
	return uri.user;
}

static void add_tag(struct recorded *leg, struct slice tag)
{
	if (tag.len == 0 || leg->n_tags == ROLES_TAGS_MAX)
		return;
	for (uint32_t i = 0; i < leg->n_tags; i++)
		if (slice_eq(leg->tags[i], tag))
			return;
	leg->tags[leg->n_tags++] = tag;
}

// What a peer's message says of its abilities.
static void learn(struct recorded *leg, const struct captured *m)
{
	struct sip_msg msg;

	if (m->out || sip_msg_parse(&msg, slice_of(m->at.data, m->at.len)) != 0)
		return;
	if (sip_msg_has(&msg, SIP_H_ALLOW))
		leg->peer_allow = sip_list_methods(&msg, SIP_H_ALLOW);
	if (sip_msg_has(&msg, SIP_H_SESSION_EXPIRES) ||
	    (sip_list_options(&msg, SIP_H_SUPPORTED).bits & SIP_OPTION_BIT(TIMER)) != 0)
		leg->peer_timer = true;
}

static bool is_again(const struct roles *r, const struct recorded *leg, const struct captured *m)
{
	for (uint32_t i = leg->n; i > 0 && leg->n - i < 64; i--) {
		const struct captured *o = &r->capture->list[leg->message[i - 1]];

		if (o->out == m->out && o->at.len == m->at.len &&
		    memcmp(o->at.data, m->at.data, m->at.len) == 0)
			return true;
	}
	return false;
}

static void add_message(struct roles *r, uint32_t index)
{
	struct captured *m = &r->capture->list[index];
	struct recorded *leg = roles_leg(r, m->call_id);

	if (leg == NULL)
		leg = new_leg(r, m);
	m->leg = leg;
	m->again = is_again(r, leg, m);
	leg->message = region_grow(&r->capture->region, leg->message, leg->n, sizeof(uint32_t));
	leg->message[leg->n++] = index;
	if (m->status == 0 && m->to_tag.len == 0 && m->method != SIP_ACK && m->method != SIP_CANCEL)
		leg->begun = true;
	if (m->status == 0 && m->method == SIP_INVITE && leg->invite == UINT32_MAX) {
		leg->invite = index;
		leg->from = roles_user(slice_of(m->at.data, m->at.len), SIP_H_FROM);
		leg->to = roles_user(slice_of(m->at.data, m->at.len), SIP_H_TO);
	}
	if (m->out)
		add_tag(leg, m->status == 0 ? m->from_tag : m->to_tag);
	learn(leg, m);
}

// The peer is dead from the first request of the SBC on that nothing of the peer follows, if the
// SBC said it more than once.
static void find_death(const struct roles *r, struct recorded *leg)
{
	uint64_t since = 0;
	bool again = false;

	for (uint32_t i = 0; i < leg->n; i++) {
		const struct captured *m = &r->capture->list[leg->message[i]];

		if (!m->out) {
			since = 0;
			again = false;
		} else if (m->status == 0 && m->method != SIP_ACK) {
			again |= m->again;
			since = since != 0 ? since : m->us;
		}
	}
	leg->dead_us = again ? since : 0;
}

// For the message that nothing can be replayed: who talks here.
static void note_address(struct roles *r, const struct captured *m)
{
	char ip[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + 16];

	inet_ntop(m->at.family == 4 ? AF_INET : AF_INET6, m->at.dst, ip, sizeof(ip));
	snprintf(word, sizeof(word), m->at.family == 4 ? "%s:%u " : "[%s]:%u ", ip, m->at.dst_udp);
	if (strstr(r->seen, word) == NULL && strlen(r->seen) + strlen(word) < sizeof(r->seen))
		memcpy(r->seen + strlen(r->seen), word, strlen(word) + 1);
}

// Whether the message is between the SBC and a trunk; sets port and out.
static bool take_role(struct roles *r, struct captured *m)
{
	int to = port_of(r, m->at.family, m->at.dst, m->at.dst_udp);
	int from = port_of(r, m->at.family, m->at.src, m->at.src_udp);
	struct flow flow;

	if ((to < 0) == (from < 0)) {
		note_address(r, m);
		r->skipped[SKIP_ELSEWHERE]++;
		return false;
	}
	m->out = from >= 0;
	m->port = (uint8_t)(m->out ? from : to);
	if (!roles_flow(r, m, &flow) ||
	    (!m->out && config_trunk_by_source(r->config, m->port, &flow) < 0)) {
		r->skipped[SKIP_NO_TRUNK]++;
		return false;
	}
	return true;
}

void roles_find(struct roles *r)
{
	struct capture *c = r->capture;

	for (r->mask = 1023; r->mask < 2 * c->n; r->mask = 2 * r->mask + 1)
		;
	r->hash = region_alloc(&c->region, sizeof(uint32_t) * ((size_t)r->mask + 1));
	for (uint32_t i = 0; i < c->n; i++)
		if (take_role(r, &c->list[i]))
			add_message(r, i);
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->leg[i]->begun)
			find_death(r, r->leg[i]);
		else
			r->skipped[SKIP_NO_BEGIN] += r->leg[i]->n;
	}
}

bool roles_as(struct roles *r, const char *text, char *why, size_t size)
{
	struct role_as *as = &r->as[r->n_as];
	const char *is = strrchr(text, '=');
	char host[64], *colon;
	int port;

	if (is == NULL || (size_t)(is - text) >= sizeof(host) || r->n_as == ROLES_AS_MAX) {
		snprintf(why, size, "--as %s: it must be ADDRESS=PORT, as in 192.0.2.1=access",
			 text);
		return false;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(is - text), text);
	memset(as, 0, sizeof(*as));
	colon = strchr(host, ':');
	if (host[0] == '[' && strchr(host, ']') != NULL) {
		char *end = strchr(host, ']');

		as->at.udp = end[1] == ':' ? (uint16_t)strtoul(end + 2, NULL, 10) : 0;
		*end = '\0';
		memmove(host, host + 1, strlen(host));
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		as->at.udp = (uint16_t)strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	as->at.ip.family = strchr(host, ':') != NULL ? 6 : 4;
	if (inet_pton(as->at.ip.family == 6 ? AF_INET6 : AF_INET, host, as->at.ip.bytes) != 1) {
		snprintf(why, size, "--as %s: \"%s\" is no address", text, host);
		return false;
	}
	port = config_port_find(r->config, is + 1);
	if (port < 0) {
		snprintf(why, size, "--as %s: the configuration has no port \"%s\"", text, is + 1);
		return false;
	}
	as->port = (uint16_t)port;
	r->n_as++;
	return true;
}
