// SPDX-License-Identifier: BSD-3-Clause
// Numbers, words, addresses and references of the configuration.
// Control thread; allocates from the snapshot. Reads strictly: what looks like a number and is none
// is refused with what would be right, never guessed.
#include "config/config_value.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>

void config_value_fault(struct config_reader *r, const char *format, ...)
{
	char text[sizeof(((struct config_error *)NULL)->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_errors_add(r->errors, false, r->line, r->column, "%s %s", r->path, text);
}

// What an operator wrote, cut to what a message can show.
#define SHOW(s) (int)((s).len < 60 ? (s).len : 60), (const char *)(s).p

// Decimal digits only; false on anything else and beyond 64 bits.
static bool read_digits(struct slice s, uint64_t *v)
{
	*v = 0;
	if (s.len == 0 || s.len > 18)
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*v = *v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return s.len == 1 || s.p[0] != '0';
}

static bool read_unit(struct slice unit, enum config_type type, uint64_t *scale)
{
	static const struct {
		const char *word;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

	if (unit.len == 0) {
		*scale = 1;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (slice_eq(unit, slice_of_str(units[i].word))) {
			if (type == CONFIG_T_MS)
				*scale = units[i].ms;
			else
				*scale = units[i].ms / 1000;
			return *scale != 0;
		}
	return false;
}

static void fault_bounds(struct config_reader *r, const struct config_key *key, struct slice text)
{
	char lo[32], hi[32];
	struct outbuf l = outbuf_of(lo, sizeof(lo) - 1), h = outbuf_of(hi, sizeof(hi) - 1);

	config_text_print_number(&l, key->min);
	config_text_print_number(&h, key->max);
	lo[l.len] = hi[h.len] = 0;
	config_value_fault(r, "is %.*s; it must be %s to %s%s%s", SHOW(text), lo, hi,
			   key->unit[0] != 0 ? " " : "", key->unit);
}

static int read_number(struct config_reader *r, const struct config_key *key, uint32_t *field,
		       struct slice text)
{
	uint32_t digits = 0;
	uint64_t v, scale;

	while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;

	struct slice unit = slice_from(text, digits);
	bool units = key->type != CONFIG_T_U32;

	if (!read_digits(slice_first(text, digits), &v) ||
	    (units ? !read_unit(unit, key->type, &scale) : unit.len != 0)) {
		config_value_fault(r, "is \"%.*s\", which is no %s", SHOW(text),
				   !units ? "whole number; write one like 100"
				   : key->type == CONFIG_T_MS
					   ? "time; write one like 500ms or 4s"
					   : "time; write one like 90, 30m or 1h");
		return -EINVAL;
	}
	if (!units)
		scale = 1;
	if (v > UINT32_MAX || v * scale < (uint64_t)key->min || v * scale > (uint64_t)key->max) {
		fault_bounds(r, key, text);
		return -EINVAL;
	}
	*field = (uint32_t)(v * scale);
	return 0;
}

// 0.5 or 1 or 0.125: kept in thousandths, more digits are refused.
static int read_fraction(struct config_reader *r, const struct config_key *key, uint32_t *field,
			 struct slice text)
{
	int64_t dot = slice_find(text, '.');
	struct slice whole = slice_first(text, dot < 0 ? text.len : (uint32_t)dot);
	struct slice part = dot < 0 ? SLICE_NONE : slice_from(text, (uint32_t)dot + 1);
	uint64_t v = 0;
	uint32_t pm = 0, weight = 100;
	bool good =
		read_digits(whole, &v) && v <= 1000 && part.len <= 3 && (dot < 0 || part.len != 0);

	for (uint32_t i = 0; good && i < part.len; i++, weight /= 10) {
		good = part.p[i] >= '0' && part.p[i] <= '9';
		pm += weight * (uint32_t)(part.p[i] - '0');
	}
	if (!good) {
		config_value_fault(
			r,
			"is \"%.*s\", which is no fraction; write one like 0.5, with at most "
			"three digits after the point",
			SHOW(text));
		return -EINVAL;
	}
	pm += (uint32_t)v * 1000;
	if (pm < key->min * 1000 - 0.5 || pm > key->max * 1000 + 0.5) {
		fault_bounds(r, key, text);
		return -EINVAL;
	}
	*field = pm;
	return 0;
}

static int read_bool(struct config_reader *r, bool *field, struct slice text)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq_nocase(text, slice_of_str(words[i]))) {
			*field = i % 2 != 0;
			return 0;
		}
	config_value_fault(r, "is \"%.*s\"; it must be true or false", SHOW(text));
	return -EINVAL;
}

static int read_enum(struct config_reader *r, const struct config_key *key, uint32_t *field,
		     struct slice text)
{
	char words[160];
	struct outbuf list = outbuf_of(words, sizeof(words) - 1);

	for (uint32_t i = 0; i < key->n_choices; i++) {
		if (slice_eq(text, slice_of_str(key->choices[i].word))) {
			*field = i;
			return 0;
		}
		if (i != 0)
			outbuf_put_str(&list, i + 1 == key->n_choices ? " or " : ", ");
		outbuf_put_str(&list, key->choices[i].word);
	}
	words[list.len] = 0;
	config_value_fault(r, "is \"%.*s\"; it must be %s", SHOW(text), words);
	return -EINVAL;
}

static int read_text(struct config_reader *r, const struct config_key *key, const char **field,
		     struct slice text)
{
	for (uint32_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] == 0x7f) {
			config_value_fault(
				r, "holds a control character; write it on one line without any");
			return -EINVAL;
		}
	if (text.len < key->min || text.len > key->max) {
		config_value_fault(r, "has %u characters; it must have %u to %u", text.len,
				   (unsigned)key->min, (unsigned)key->max);
		return -EINVAL;
	}
	*field = config_schema_strdup(r->t, text);
	return *field != NULL ? 0 : -ENOMEM;
}

static bool read_ip(struct config_ip *ip, struct slice text)
{
	char buf[INET6_ADDRSTRLEN];

	memset(ip, 0, sizeof(*ip));
	if (text.len == 0 || text.len >= sizeof(buf))
		return false;
	memcpy(buf, text.p, text.len);
	buf[text.len] = 0;
	ip->family = slice_find(text, ':') >= 0 ? 6 : 4;
	return inet_pton(ip->family == 6 ? AF_INET6 : AF_INET, buf, ip->bytes) == 1;
}

// addr, addr:port, [v6]:port. Port 0 = not written.
static bool read_endpoint(struct config_endpoint *e, struct slice text)
{
	int64_t end;
	uint64_t port = 0;
	struct slice ip = text, rest = SLICE_NONE;

	if (text.len != 0 && text.p[0] == '[') {
		end = slice_find(text, ']');
		if (end < 0)
			return false;
		ip = slice_of(text.p + 1, (size_t)end - 1);
		rest = slice_from(text, (uint32_t)end + 1);
		if (slice_find(ip, ':') < 0)
			return false;
	} else if ((end = slice_find(text, ':')) >= 0 &&
		   slice_find(slice_from(text, (uint32_t)end + 1), ':') < 0) {
		ip = slice_first(text, (uint32_t)end);
		rest = slice_from(text, (uint32_t)end);
	}
	if (rest.len != 0 && (rest.p[0] != ':' || !read_digits(slice_from(rest, 1), &port) ||
			      port == 0 || port > 65535))
		return false;
	e->udp = (uint16_t)port;
	return read_ip(&e->ip, ip);
}

static int read_listen(struct config_reader *r, struct config_endpoint *field, struct slice text)
{
	struct config_endpoint e = {0};

	if (text.len != 0 && (!read_endpoint(&e, text) || e.udp == 0)) {
		config_value_fault(
			r, "is \"%.*s\"; write address:port like 127.0.0.1:9161, or \"\" for off",
			SHOW(text));
		return -EINVAL;
	}
	*field = e;
	return 0;
}

static int read_net(struct config_reader *r, const struct config_key *key, struct config_net *net,
		    struct slice text)
{
	int64_t slash = slice_find(text, '/');
	struct slice ip = slice_first(text, slash < 0 ? text.len : (uint32_t)slash);
	bool prefix = key->type == CONFIG_T_PREFIXES;
	struct config_net n;
	uint64_t len = 0;

	if (!read_ip(&n.ip, ip) || (slash < 0 && !prefix) ||
	    (slash >= 0 && !read_digits(slice_from(text, (uint32_t)slash + 1), &len)) ||
	    len > (n.ip.family == 6 ? 128u : 32u)) {
		config_value_fault(r, "has \"%.*s\"; write address/length like %s", SHOW(text),
				   prefix ? "10.0.0.0/24 or fd00::/64"
					  : "10.0.0.1/24 or fd00::1/64");
		return -EINVAL;
	}
	n.len = (uint8_t)(slash < 0 ? (n.ip.family == 6 ? 128 : 32) : len);
	if (prefix) {
		struct config_net clean = n;
		char right[64];
		struct outbuf o = outbuf_of(right, sizeof(right) - 1);

		for (uint32_t bit = n.len; bit < 128; bit++)
			clean.ip.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		if (!config_value_same_ip(&clean.ip, &n.ip)) {
			config_text_print_ip(&o, &clean.ip);
			right[o.len] = 0;
			config_value_fault(
				r,
				"has \"%.*s\", which has bits behind its prefix; write %s/%u "
				"for the net or %.*s for the address",
				SHOW(text), right, n.len, SHOW(ip));
			return -EINVAL;
		}
	}
	*net = n;
	return 0;
}

static int read_peer(struct config_reader *r, struct config_endpoint *field, struct slice text)
{
	struct config_endpoint e;

	if (!read_endpoint(&e, text)) {
		config_value_fault(r,
				   "has \"%.*s\"; write address:port like 10.0.0.1:5060 or "
				   "[fd00::1]:5060 (names are not looked up)",
				   SHOW(text));
		return -EINVAL;
	}
	if (e.udp == 0)
		e.udp = 5060;
	*field = e;
	return 0;
}

// Name of the i-th port, profile or trunk; NULL at the end, "" for one that is gone.
static const char *name_at(const struct config *c, enum config_type type, uint32_t i)
{
	if (type == CONFIG_T_PORT)
		return i == c->n_ports ? NULL : c->ports[i].gone ? "" : c->ports[i].name;
	if (type == CONFIG_T_PROFILE)
		return i == c->n_profiles ? NULL : c->profiles[i].gone ? "" : c->profiles[i].name;
	return i == c->n_trunks ? NULL : c->trunks[i].gone ? "" : c->trunks[i].name;
}

static const char *nearest_name(const struct config *c, enum config_type type, struct slice text)
{
	const char *best = NULL, *name;
	uint32_t best_edits = UINT32_MAX;

	for (uint32_t i = 0; (name = name_at(c, type, i)) != NULL; i++) {
		uint32_t edits = config_schema_distance(text, name);

		if (edits < best_edits && name[0] != 0) {
			best = name;
			best_edits = edits;
		}
	}
	return best;
}

static int read_reference(struct config_reader *r, const struct config_key *key, uint16_t *field,
			  struct slice text)
{
	enum config_type type = key->type;
	char name[64];
	int id = -ENOENT;

	if (type == CONFIG_T_FROM && slice_eq(text, SLICE_LIT("any"))) {
		*field = CONFIG_NONE;
		return 0;
	}
	if (text.len < sizeof(name)) {
		memcpy(name, text.p, text.len);
		name[text.len] = 0;
		id = type == CONFIG_T_PORT	? config_port_find(r->c, name)
		     : type == CONFIG_T_PROFILE ? config_profile_find(r->c, name)
						: config_trunk_find(r->c, name);
	}
	if (id < 0) {
		const char *what = type == CONFIG_T_PORT      ? "port"
				   : type == CONFIG_T_PROFILE ? "profile"
							      : "trunk";
		const char *near = nearest_name(r->c, type, text);

		config_value_fault(r, "is \"%.*s\", but there is no such %s%s%s%s", SHOW(text),
				   what, near != NULL ? "; did you mean " : "; write it under ",
				   near != NULL ? near : what, near != NULL ? "?" : "s");
		return -EINVAL;
	}
	*field = (uint16_t)id;
	return 0;
}

int config_value_read(struct config_reader *r, const struct config_key *key, void *field,
		      struct slice text)
{
	switch (key->type) {
	case CONFIG_T_U32:
	case CONFIG_T_SECONDS:
	case CONFIG_T_MS:
		return read_number(r, key, field, text);
	case CONFIG_T_FRACTION:
		return read_fraction(r, key, field, text);
	case CONFIG_T_BOOL:
		return read_bool(r, field, text);
	case CONFIG_T_STR:
	case CONFIG_T_SECRET:
		return read_text(r, key, field, text);
	case CONFIG_T_ENUM:
		return read_enum(r, key, field, text);
	case CONFIG_T_LISTEN:
		return read_listen(r, field, text);
	case CONFIG_T_PORT:
	case CONFIG_T_PROFILE:
	case CONFIG_T_FROM:
		return read_reference(r, key, field, text);
	case CONFIG_T_SECTION:
	case CONFIG_T_CPUS:
	case CONFIG_T_NETS:
	case CONFIG_T_PREFIXES:
	case CONFIG_T_IPS:
	case CONFIG_T_ENDPOINTS:
	case CONFIG_T_STRINGS:
	case CONFIG_T_TRUNKS:
		break;
	}
	return -EINVAL;
}

static int read_cpu(struct config_reader *r, uint16_t *field, struct slice text)
{
	uint64_t v;

	if (!read_digits(text, &v) || v > 1023) {
		config_value_fault(r, "has \"%.*s\"; a CPU id is a number from 0 to 1023",
				   SHOW(text));
		return -EINVAL;
	}
	*field = (uint16_t)v;
	return 0;
}

static int read_log_area(struct config_reader *r, const char **field, struct slice text)
{
	static const struct config_key any_text = {.type = CONFIG_T_STR, .min = 1, .max = 200};
	enum config_log_level level;
	enum config_log_area area;

	if (config_log_area(text, &area, &level) == 0)
		return read_text(r, &any_text, field, text);
	config_value_fault(r, "has \"%.*s\"; write " CONFIG_LOG_AREA_HINT, SHOW(text));
	return -EINVAL;
}

int config_value_read_element(struct config_reader *r, const struct config_key *key, void *element,
			      struct slice text)
{
	static const struct config_key any_text = {.type = CONFIG_T_STR, .min = 1, .max = 200};

	switch (key->type) {
	case CONFIG_T_CPUS:
		return read_cpu(r, element, text);
	case CONFIG_T_NETS:
	case CONFIG_T_PREFIXES:
		return read_net(r, key, element, text);
	case CONFIG_T_IPS:
		if (read_ip(element, text))
			return 0;
		config_value_fault(r, "has \"%.*s\"; write an address like 10.0.0.254 or fd00::1",
				   SHOW(text));
		return -EINVAL;
	case CONFIG_T_ENDPOINTS:
		return read_peer(r, element, text);
	case CONFIG_T_STRINGS:
		return key->n_choices != 0 ? read_log_area(r, element, text)
					   : read_text(r, &any_text, element, text);
	case CONFIG_T_TRUNKS:
		return read_reference(r, key, element, text);
	CONFIG_CASES_OF_ONE_VALUE:
		break;
	}
	return -EINVAL;
}

int config_value_count(struct config_reader *r, const struct config_key *key, uint32_t n)
{
	if (n >= key->min && n <= key->max)
		return 0;
	if (n == 0)
		config_value_fault(r, "is empty; give at least one");
	else
		config_value_fault(r, "has %u entries; it may have %u to %u", n, (unsigned)key->min,
				   (unsigned)key->max);
	return -EINVAL;
}

int config_value_read_list(struct config_reader *r, const struct config_key *key, void *field,
			   struct slice text)
{
	uint32_t size = config_schema_element(key->type), n = 0, most = 1;
	uint8_t *list;
	int rc = 0;

	text = slice_trim(text);
	if (text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']')
		text = slice_trim(slice_of(text.p + 1, text.len - 2));
	for (uint32_t i = 0; i < text.len; i++)
		most += text.p[i] == ',';
	list = config_schema_alloc(r->t, (size_t)size * most);
	if (list == NULL)
		return -ENOMEM;
	while (rc == 0 && text.len != 0) {
		int64_t comma = slice_find(text, ',');
		uint32_t len = comma < 0 ? text.len : (uint32_t)comma;

		rc = config_value_read_element(r, key, list + (size_t)size * n++,
					       slice_trim(slice_first(text, len)));
		text = slice_from(text, len + 1);
	}
	if (rc == 0)
		rc = config_value_count(r, key, n);
	if (rc == 0)
		memcpy(field, &(struct config_list){list, n}, sizeof(struct config_list));
	return rc;
}

static uint64_t read_be64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return be64toh(x);
}

// By words: an address on its way to the wire was written just before, and memcmp() would wait for
// the cache to have it.
bool config_value_in_net(const struct config_net *net, const struct config_ip *ip)
{
	uint64_t differ = read_be64(net->ip.bytes) ^ read_be64(ip->bytes);

	if (net->ip.family != ip->family)
		return false;
	if (net->len <= 64)
		return net->len == 0 || differ >> (64 - net->len) == 0;
	if (differ != 0)
		return false;
	return (read_be64(net->ip.bytes + 8) ^ read_be64(ip->bytes + 8)) >> (128 - net->len) == 0;
}

bool config_value_same_ip(const struct config_ip *a, const struct config_ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
