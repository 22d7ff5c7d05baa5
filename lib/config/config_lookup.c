// SPDX-License-Identifier: BSD-3-Clause
// Look-ups of the packet path: trunk by source address, route by called user.
// Building: control thread, allocates from the snapshot. Searching: any thread, no allocation. Both
// are hash tables with one probe sequence for each prefix length in use, longest first. Their keys
// come from the configuration alone, so nobody outside can make the sequences long.
#include "config/config_lookup.h"

#include <errno.h>
#include <stdlib.h>

#define LEN_EXACT 255 // address and UDP port of a peer

struct source_slot {
	uint64_t hi, lo; // address, host byte order, masked
	uint16_t udp;	 // LEN_EXACT only
	uint16_t trunk;	 // CONFIG_NONE = empty slot
	uint8_t port, family, len;
};

struct config_sources {
	struct source_slot *slots;
	uint32_t mask;
	// lengths in use, longest first; [family == 6]
	uint8_t n_lens[CONFIG_MAX_PORTS][2];
	uint8_t lens[CONFIG_MAX_PORTS][2][130];
};

struct route_slot {
	const struct config_route *route; // NULL = empty slot
	uint32_t hash;
	uint16_t from;
	uint8_t len;
};

struct config_routing {
	struct route_slot *slots;
	uint32_t mask;
	uint32_t n_from;     // trunks
	const uint64_t *has; // [n_from + 1] bit n: a prefix of n bytes exists; the last is any
};

static uint64_t load_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static struct source_slot key_of(uint8_t port, uint8_t family, const uint8_t *ip, uint8_t len)
{
	struct source_slot k = {load_be64(ip), load_be64(ip + 8), 0, 0, port, family, len};

	if (len < 64)
		k.hi &= len == 0 ? 0 : UINT64_MAX << (64 - len);
	if (len <= 64)
		k.lo = 0;
	else if (len < 128)
		k.lo &= UINT64_MAX << (128 - len);
	return k;
}

static uint32_t source_hash(const struct source_slot *k)
{
	uint64_t h = k->hi * 0x9e3779b97f4a7c15u ^ k->lo * 0xc2b2ae3d27d4eb4fu;

	h ^= ((uint64_t)k->udp << 24 | (uint64_t)k->port << 16 | (uint64_t)k->family << 8 |
	      k->len) *
	     0x165667b19e3779f9u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return (uint32_t)(h >> 32);
}

static bool same_source(const struct source_slot *a, const struct source_slot *b)
{
	return a->hi == b->hi && a->lo == b->lo && a->udp == b->udp && a->port == b->port &&
	       a->family == b->family && a->len == b->len;
}

// The slot of this key, or the empty one where it would be.
static struct source_slot *source_find(const struct config_sources *s, const struct source_slot *k)
{
	uint32_t i = source_hash(k) & s->mask;

	while (s->slots[i].trunk != CONFIG_NONE && !same_source(&s->slots[i], k))
		i = (i + 1) & s->mask;
	return &s->slots[i];
}

// The first claim stays: explicit sources come before what peers imply.
static void source_add(struct config_sources *s, struct source_slot k, uint16_t trunk)
{
	struct source_slot *slot = source_find(s, &k);
	uint8_t *lens = s->lens[k.port][k.family == 6], *n = &s->n_lens[k.port][k.family == 6];
	uint8_t at = 0;

	if (slot->trunk != CONFIG_NONE)
		return;
	*slot = k;
	slot->trunk = trunk;
	while (at < *n && lens[at] > k.len)
		at++;
	if (at < *n && lens[at] == k.len)
		return;
	memmove(lens + at + 1, lens + at, *n - at);
	lens[at] = k.len;
	++*n;
}

static uint32_t table_size(uint32_t n)
{
	uint32_t size = 16;

	while (size < 2 * n)
		size *= 2;
	return size;
}

static void add_trunk_sources(struct config_sources *s, const struct config_trunk *t)
{
	for (uint32_t i = 0; i < t->sources.n; i++) {
		const struct config_net *net = &t->sources.list[i];

		source_add(s, key_of((uint8_t)t->port, net->ip.family, net->ip.bytes, net->len),
			   t->id);
	}
	for (uint32_t i = 0; i < t->peers.n; i++) {
		const struct config_endpoint *e = &t->peers.list[i];
		struct source_slot k = key_of((uint8_t)t->port, e->ip.family, e->ip.bytes, 128);

		k.len = LEN_EXACT;
		k.udp = e->udp;
		source_add(s, k, t->id);
	}
}

// A peer's address as a claim of its trunk.
struct peer {
	uint16_t port, trunk;
	struct config_ip ip;
};

static int by_address(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return memcmp(&x->ip, &y->ip, sizeof(x->ip));
}

// Peers' addresses whatever the UDP port, where one trunk alone has them.
static int add_peer_addresses(const struct config *c, struct config_sources *s, uint32_t most)
{
	struct peer *peers = calloc((size_t)most + 1, sizeof(*peers));
	uint32_t n = 0;

	if (peers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_trunks; i++)
		for (uint32_t j = 0; j < c->trunks[i].peers.n && !c->trunks[i].gone; j++)
			peers[n++] = (struct peer){c->trunks[i].port, (uint16_t)i,
						   c->trunks[i].peers.list[j].ip};
	qsort(peers, n, sizeof(*peers), by_address);
	for (uint32_t from = 0, to; from < n; from = to) {
		const struct peer *p = &peers[from];
		bool alone = true;

		for (to = from; to < n && by_address(p, &peers[to]) == 0; to++)
			alone = alone && peers[to].trunk == p->trunk;
		if (alone)
			source_add(s,
				   key_of((uint8_t)p->port, p->ip.family, p->ip.bytes,
					  p->ip.family == 6 ? 128 : 32),
				   p->trunk);
	}
	free(peers);
	return 0;
}

static int build_sources(struct config *c, struct config_text *t)
{
	struct config_sources *s = config_schema_alloc(t, sizeof(*s));
	uint32_t n = 0, size;

	for (uint32_t i = 0; i < c->n_trunks; i++)
		n += 2 * c->trunks[i].peers.n + c->trunks[i].sources.n;
	size = table_size(n);
	if (s == NULL || (s->slots = config_schema_alloc(t, size * sizeof(*s->slots))) == NULL)
		return -ENOMEM;
	s->mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		s->slots[i].trunk = CONFIG_NONE;
	for (uint32_t i = 0; i < c->n_trunks; i++)
		if (!c->trunks[i].gone)
			add_trunk_sources(s, &c->trunks[i]);
	c->sources = s;
	return add_peer_addresses(c, s, n);
}

// FNV-1a, one byte further.
static uint32_t hash_byte(uint32_t h, uint8_t byte)
{
	return (h ^ byte) * 16777619u;
}

static uint32_t hash_start(uint16_t from)
{
	return hash_byte(hash_byte(2166136261u, (uint8_t)from), (uint8_t)(from >> 8));
}

static uint32_t hash_place(uint32_t h)
{
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

static const struct config_route *route_find(const struct config_routing *r, uint16_t from,
					     uint32_t hash, const uint8_t *text, uint32_t len)
{
	for (uint32_t i = hash_place(hash) & r->mask;; i = (i + 1) & r->mask) {
		const struct route_slot *slot = &r->slots[i];

		if (slot->route == NULL)
			return NULL;
		if (slot->hash == hash && slot->from == from && slot->len == len &&
		    memcmp(slot->route->prefix, text, len) == 0)
			return slot->route;
	}
}

static void route_add(struct config_routing *r, uint64_t *has, const struct config_route *route)
{
	struct slice prefix = slice_of_str(route->prefix);
	uint32_t hash = hash_start(route->from), i;

	for (i = 0; i < prefix.len; i++)
		hash = hash_byte(hash, prefix.p[i]);
	for (i = hash_place(hash) & r->mask; r->slots[i].route != NULL; i = (i + 1) & r->mask)
		;
	r->slots[i] = (struct route_slot){route, hash, route->from, (uint8_t)prefix.len};
	has[route->from == CONFIG_NONE ? r->n_from : route->from] |= (uint64_t)1 << prefix.len;
}

static int build_routing(struct config *c, struct config_text *t)
{
	struct config_routing *r = config_schema_alloc(t, sizeof(*r));
	uint32_t size = table_size(c->n_routes);
	uint64_t *has = config_schema_alloc(t, ((size_t)c->n_trunks + 1) * sizeof(*has));

	if (r == NULL || has == NULL ||
	    (r->slots = config_schema_alloc(t, size * sizeof(*r->slots))) == NULL)
		return -ENOMEM;
	r->mask = size - 1;
	r->n_from = c->n_trunks;
	r->has = has;
	for (uint32_t i = 0; i < c->n_routes; i++)
		route_add(r, has, &c->routes[i]);
	c->routing = r;
	return 0;
}

int config_lookup_build(struct config *c, struct config_text *t)
{
	int rc = build_sources(c, t);

	return rc == 0 ? build_routing(c, t) : rc;
}

int config_trunk_by_source(const struct config *c, uint8_t port, const struct flow *flow)
{
	const struct config_sources *s = c->sources;
	bool v6 = flow->family == 6;

	if (port >= CONFIG_MAX_PORTS)
		return -ENOENT;
	for (uint32_t i = 0; i < s->n_lens[port][v6]; i++) {
		uint8_t len = s->lens[port][v6][i];
		struct source_slot k =
			key_of(port, flow->family, flow->peer_ip, len == LEN_EXACT ? 128 : len);
		const struct source_slot *slot;

		if (len == LEN_EXACT) {
			k.len = len;
			k.udp = flow->peer_udp;
		}
		slot = source_find(s, &k);
		if (slot->trunk != CONFIG_NONE)
			return slot->trunk;
	}
	return -ENOENT;
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What routes compare with: escapes read (RFC 3261 s19.1.4), parameters and password cut, and in
// telephone numbers no visual separators (RFC 3966 s5.1.1). Returns its length.
static uint32_t read_user(uint8_t text[CONFIG_MAX_PREFIX], struct slice user)
{
	bool number = true;
	uint32_t n = 0;

	for (uint32_t i = 0; i < user.len && n < CONFIG_MAX_PREFIX; i++) {
		uint8_t ch = user.p[i];

		if (ch == ';' || ch == ':')
			break;
		if (ch == '%' && i + 2 < user.len && hex(user.p[i + 1]) >= 0 &&
		    hex(user.p[i + 2]) >= 0) {
			ch = (uint8_t)(hex(user.p[i + 1]) << 4 | hex(user.p[i + 2]));
			i += 2;
		}
		if (n == 0 && number)
			number = ch == '+' || ch == '(' || (ch >= '0' && ch <= '9');
		if (number && (ch == '-' || ch == '.' || ch == '(' || ch == ')'))
			continue;
		text[n++] = ch;
	}
	return n;
}

int config_route(const struct config *c, uint16_t from_trunk, struct slice user,
		 const uint16_t **to, unsigned *n)
{
	const struct config_routing *r = c->routing;
	uint64_t any = r->has[r->n_from], own = from_trunk < r->n_from ? r->has[from_trunk] : 0;
	uint32_t own_hash[CONFIG_MAX_PREFIX + 1], any_hash[CONFIG_MAX_PREFIX + 1];
	uint8_t text[CONFIG_MAX_PREFIX];
	uint32_t len = read_user(text, user);

	own_hash[0] = hash_start(from_trunk);
	any_hash[0] = hash_start(CONFIG_NONE);
	for (uint32_t i = 0; i < len; i++) {
		own_hash[i + 1] = hash_byte(own_hash[i], text[i]);
		any_hash[i + 1] = hash_byte(any_hash[i], text[i]);
	}
	for (uint32_t i = len + 1; i-- > 0;) {
		const struct config_route *route = NULL;

		if (own >> i & 1)
			route = route_find(r, from_trunk, own_hash[i], text, i);
		if (route == NULL && any >> i & 1)
			route = route_find(r, CONFIG_NONE, any_hash[i], text, i);
		if (route != NULL) {
			*to = route->to.list;
			*n = route->to.n;
			return 0;
		}
	}
	return -ENOENT;
}
