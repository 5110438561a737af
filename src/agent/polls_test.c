#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/polls.h"
#include "base/log.h"
#include "wire/sign.h"

struct fixture {
	struct polls polls;
	struct secp_key *key;
	struct clock_fake clock;
	struct random_seeded random;
	struct poll_statement asked;
	Wire__Poll poll;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	log_init(false, LOG_ERROR);
	random_seeded_init(&f->random, 3);
	clock_fake_init(&f->clock, 5000);
	if (secp_key_generate(&f->random.random, &f->key) < 0)
		return -1;
	f->polls = (struct polls){ .key = f->key, .clock = &f->clock.clock };
	f->polls.network.bytes[0] = 7;
	f->asked.network.bytes[0] = 7;
	f->asked.machine.address = *secp_key_address(f->key);
	f->asked.checker.bytes[19] = 8;
	f->asked.nonce[15] = 9;
	wire__poll__init(&f->poll);
	f->poll.machine = (ProtobufCBinaryData){ 20, f->asked.machine.address.bytes };
	f->poll.checker = (ProtobufCBinaryData){ 20, f->asked.checker.bytes };
	f->poll.nonce = (ProtobufCBinaryData){ 16, f->asked.nonce };
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	secp_key_free(f->key);
	free(f);
	return 0;
}

static void the_machine_signs(void **state)
{
	uint8_t signature[SECP_SIGNATURE_SIZE], digest[SIGN_DIGEST_SIZE];
	struct fixture *f = *state;
	struct address signer;

	assert_int_equal(polls_answer(&f->polls, &f->poll, signature), 0);
	poll_digest(&f->asked, digest);
	assert_int_equal(secp_recover(digest, signature, &signer), 0);
	assert_true(address_equal(&signer, secp_key_address(f->key)));
}

static void only_for_itself(void **state)
{
	uint8_t signature[SECP_SIGNATURE_SIZE];
	struct fixture *f = *state;

	f->asked.machine.address.bytes[0] ^= 1;
	assert_int_equal(polls_answer(&f->polls, &f->poll, signature), POLLS_E_NOT_OURS);
}

static void so_many_a_second(void **state)
{
	uint8_t signature[SECP_SIGNATURE_SIZE];
	struct fixture *f = *state;

	for (int i = 0; i < POLLS_A_SECOND; i++)
		assert_int_equal(polls_answer(&f->polls, &f->poll, signature), 0);
	assert_int_equal(polls_answer(&f->polls, &f->poll, signature), POLLS_E_TOO_MANY);
	f->clock.ms += 1000;
	assert_int_equal(polls_answer(&f->polls, &f->poll, signature), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_machine_signs),
		TEST(only_for_itself),
		TEST(so_many_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
