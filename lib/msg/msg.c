// SPDX-License-Identifier: BSD-3-Clause
// Words of the messages. Pure.
#include "msg/msg.h"

const char *cause_word(enum cause cause)
{
	static const char *const words[] = {
#define CAUSE(id, class, word, sentence) [CAUSE_##id] = word,
#include "msg/cause.def"
	};

	return cause < CAUSE_N ? words[cause] : "unknown";
}

const char *cause_sentence(enum cause cause)
{
	static const char *const sentences[] = {
#define CAUSE(id, class, word, sentence) [CAUSE_##id] = sentence,
#include "msg/cause.def"
	};

	return cause < CAUSE_N ? sentences[cause] : "";
}

enum cause_class cause_class(enum cause cause)
{
	static const uint8_t classes[] = {
#define CAUSE(id, class, word, sentence) [CAUSE_##id] = CAUSE_CLASS_##class,
#include "msg/cause.def"
	};

	return cause < CAUSE_N ? (enum cause_class)classes[cause] : CAUSE_CLASS_NONE;
}

const char *cause_class_word(enum cause_class class)
{
	static const char *const words[] = {
		[CAUSE_CLASS_NONE] = "none",	   [CAUSE_CLASS_NORMAL] = "normal",
		[CAUSE_CLASS_ATTEMPT] = "attempt", [CAUSE_CLASS_DROP] = "drop",
		[CAUSE_CLASS_ORDER] = "order",
	};

	return words[class];
}
