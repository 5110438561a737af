#include "chain/contract_error.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The four bytes are those that solc made of the contracts. */
static void known_errors(void **state _unused_)
{
	static const struct {
		const char *message, *part;
	} known[] = {
		{ "execution reverted, 0x969bf728", "paid already" },
		{ "execution reverted: custom error 0x969bf728, 0x969bf728", "paid already" },
		{ "0x969bf728", "paid already" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *words = contract_error_words(known[i].message);

		assert_non_null(words);
		assert_non_null(strstr(words, known[i].part));
	}
}

static void other_texts(void **state _unused_)
{
	static const char *const messages[] = { "",
						"0x",
						"969bf728",
						"execution reverted",
						"execution reverted, 0x12345678",
						"execution reverted, 0x969bf7",
						"execution reverted, 0x969bf72g",
						"0x969bf728 and more" };

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		assert_null(contract_error_words(messages[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(known_errors),
					    cmocka_unit_test(other_texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
