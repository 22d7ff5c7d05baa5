// SPDX-License-Identifier: BSD-3-Clause
// What importers of message rules share: notes, and rules piece by piece. Private to lib/config.
// Control thread. Nothing here fails: what does not fit leaves `full` in import->yaml.
#pragma once

#include "config/config_import.h"

// One rule that is being put together; `when` and `dos` are the inside of its YAML lists.
struct import_rule {
	struct config_import *import;
	uint32_t line;	   // of the source
	bool failed;	   // something could not be carried over: the rule is not written
	char name[64];	   // "" = by place
	char comment[96];  // "" = none
	const char *typed; // why an action is a typed one; NULL = none is
	uint8_t when_text[1800];
	uint8_t do_text[3600];
	struct outbuf when, dos;
};

void import_rule_init(struct import_rule *r, struct config_import *import, uint32_t line);
// The rule is written, unless something of it failed or nothing is left to do.
void import_rule_end(struct import_rule *r);

// One more key of the condition: returns where its value goes.
struct outbuf *import_rule_when(struct import_rule *r, const char *key);
// One more action: the same.
struct outbuf *import_rule_do(struct import_rule *r, const char *key);
// Text between [ and ] or { and }: the separator before each but the first.
void import_rule_comma(struct outbuf *o);
void import_rule_text(struct outbuf *o, const char *key, struct slice text); // , key: "text"
void import_rule_quoted(struct outbuf *o, struct slice text);

// Not carried over, with the reason; the rule is not written.
__attribute__((format(printf, 2, 3))) void import_rule_refuse(struct import_rule *r,
							      const char *format, ...);
// Carried over, but not the same.
__attribute__((format(printf, 2, 3))) void import_rule_differs(struct import_rule *r,
							       const char *format, ...);

// Deletes header fields: all, or the first. Session-Expires becomes strip_session_timer.
void import_rule_delete(struct import_rule *r, struct slice header, bool all);
// One more action, begun: { header, match. The rest and the bracket are the caller's. NULL: the
// expression is refused, and r has a note.
struct outbuf *import_rule_match(struct import_rule *r, const char *key, struct slice header,
				 struct slice pattern);
// Substitutes in a header's value. Words that only leave Allow, Supported or Require become typed.
void import_rule_substitute(struct import_rule *r, struct slice header, struct slice pattern,
			    struct slice with, bool all);

// A POSIX extended regular expression, as IOS and VSXi use them, for PCRE2. false: refused, and r
// has a note.
bool import_rule_regex(struct import_rule *r, struct slice posix, struct outbuf *pcre);
// A text that stands for itself in a regular expression.
void import_rule_literal(struct outbuf *pcre, struct slice text);

// A comment line over the rules that follow.
void import_comment(struct config_import *import, const char *what, struct slice id,
		    struct slice name);
// Whether a list of one rule in YAML is one that verge takes behind the rules so far; fault says
// why not.
bool config_import_try(struct config_import *import, struct slice yaml, char fault[240]);

// The two formats.
int config_smc_convert(struct config_import *import, struct slice text);
int config_sip_profiles_convert(struct config_import *import, struct slice text);
