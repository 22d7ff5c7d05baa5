// SPDX-License-Identifier: BSD-3-Clause
// Values of the configuration back as YAML text.
// Control thread; writes into the caller's buffer.
#include "config/config_text.h"

#include <arpa/inet.h>

void config_text_print_number(struct outbuf *out, double v)
{
	uint64_t pm = (uint64_t)(v * 1000 + 0.5), part = pm % 1000;

	outbuf_put_u64(out, pm / 1000);
	if (part == 0)
		return;
	outbuf_put_char(out, '.');
	for (uint64_t weight = 100; part != 0; weight /= 10) {
		// cppcheck-suppress zerodivcond ; part is below 1000, at weight 1 nothing is left
		outbuf_put_char(out, (char)('0' + part / weight));
		part %= weight;
	}
}

void config_text_print_ip(struct outbuf *out, const struct config_ip *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(ip->family == 6 ? AF_INET6 : AF_INET, ip->bytes, text, sizeof(text)) != NULL)
		outbuf_put_str(out, text);
}

static void print_endpoint(struct outbuf *out, const struct config_endpoint *e)
{
	if (e->ip.family == 0) {
		outbuf_put_lit(out, "\"\"");
		return;
	}
	outbuf_put_str(out, e->ip.family == 6 ? "\"[" : "");
	config_text_print_ip(out, &e->ip);
	outbuf_put_str(out, e->ip.family == 6 ? "]:" : ":");
	outbuf_put_u64(out, e->udp);
	outbuf_put_str(out, e->ip.family == 6 ? "\"" : "");
}

static void print_text(struct outbuf *out, const char *text)
{
	outbuf_put_char(out, '"');
	for (const char *p = text; *p != 0; p++) {
		if (*p == '"' || *p == '\\')
			outbuf_put_char(out, '\\');
		outbuf_put_char(out, *p);
	}
	outbuf_put_char(out, '"');
}

static void print_net(struct outbuf *out, const struct config_net *net)
{
	outbuf_put_str(out, net->ip.family == 6 ? "\"" : "");
	config_text_print_ip(out, &net->ip);
	outbuf_put_char(out, '/');
	outbuf_put_u64(out, net->len);
	outbuf_put_str(out, net->ip.family == 6 ? "\"" : "");
}

static void print_element(struct outbuf *out, const struct config *c, enum config_type type,
			  const void *element)
{
	const struct config_ip *ip = element;

	switch (type) {
	case CONFIG_T_CPUS:
		outbuf_put_u64(out, *(const uint16_t *)element);
		break;
	case CONFIG_T_NETS:
	case CONFIG_T_PREFIXES:
		print_net(out, element);
		break;
	case CONFIG_T_IPS:
		outbuf_put_str(out, ip->family == 6 ? "\"" : "");
		config_text_print_ip(out, ip);
		outbuf_put_str(out, ip->family == 6 ? "\"" : "");
		break;
	case CONFIG_T_ENDPOINTS:
		print_endpoint(out, element);
		break;
	case CONFIG_T_STRINGS:
		print_text(out, *(const char *const *)element);
		break;
	case CONFIG_T_TRUNKS:
		print_text(out, c->trunks[*(const uint16_t *)element].name);
		break;
	CONFIG_CASES_OF_ONE_VALUE:
		break;
	}
}

static void print_list(struct outbuf *out, const struct config *c, const struct config_key *key,
		       const struct config_list *list)
{
	outbuf_put_char(out, '[');
	for (uint32_t i = 0; i < list->n; i++) {
		if (i != 0)
			outbuf_put_lit(out, ", ");
		print_element(out, c, key->type,
			      (const uint8_t *)list->list +
				      (size_t)i * config_schema_element(key->type));
	}
	outbuf_put_char(out, ']');
}

static void print_number(struct outbuf *out, const struct config_key *key, uint32_t v)
{
	if (key->type == CONFIG_T_FRACTION)
		config_text_print_number(out, v / 1000.0);
	else
		outbuf_put_u64(out, v);
	if (key->type == CONFIG_T_MS)
		outbuf_put_lit(out, "ms");
}

void config_text_print(struct outbuf *out, const struct config *c, const struct config_key *key,
		       const void *field)
{
	struct config_list list;
	const uint16_t *id = field;

	switch (key->type) {
	case CONFIG_T_U32:
	case CONFIG_T_SECONDS:
	case CONFIG_T_MS:
	case CONFIG_T_FRACTION:
		print_number(out, key, *(const uint32_t *)field);
		break;
	case CONFIG_T_BOOL:
		outbuf_put_str(out, *(const bool *)field ? "true" : "false");
		break;
	case CONFIG_T_STR:
		print_text(out, *(const char *const *)field);
		break;
	case CONFIG_T_SECRET:
		outbuf_put_str(out, **(const char *const *)field != 0 ? "\"***\"" : "\"\"");
		break;
	case CONFIG_T_ENUM:
		outbuf_put_str(out, key->choices[*(const uint32_t *)field].word);
		break;
	case CONFIG_T_LISTEN:
		print_endpoint(out, field);
		break;
	case CONFIG_T_PORT:
		print_text(out, c->ports[*id].name);
		break;
	case CONFIG_T_PROFILE:
		print_text(out, c->profiles[*id].name);
		break;
	case CONFIG_T_FROM:
		print_text(out, *id == CONFIG_NONE ? "any" : c->trunks[*id].name);
		break;
	case CONFIG_T_CPUS:
	case CONFIG_T_NETS:
	case CONFIG_T_PREFIXES:
	case CONFIG_T_IPS:
	case CONFIG_T_ENDPOINTS:
	case CONFIG_T_STRINGS:
	case CONFIG_T_TRUNKS:
		memcpy(&list, field, sizeof(list));
		print_list(out, c, key, &list);
		break;
	case CONFIG_T_SECTION:
		break;
	}
}
