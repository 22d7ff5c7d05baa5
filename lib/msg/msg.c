// SPDX-License-Identifier: BSD-3-Clause
// Words of the messages. Pure.
#include "msg/msg.h"

const char *cause_word(enum cause cause)
{
	static const char *const words[] = {
#define CAUSE(id, word, sentence) [CAUSE_##id] = word,
#include "msg/cause.def"
	};

	return cause < CAUSE_N ? words[cause] : "unknown";
}

const char *cause_sentence(enum cause cause)
{
	static const char *const sentences[] = {
#define CAUSE(id, word, sentence) [CAUSE_##id] = sentence,
#include "msg/cause.def"
	};

	return cause < CAUSE_N ? sentences[cause] : "";
}
