#include "wire/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

/* The expected digests were made with viem from the layout that sign.h states. */
static void assert_digest(const uint8_t digest[static SIGN_DIGEST_SIZE], const char *expected)
{
	char text[2 * SIGN_DIGEST_SIZE + 1];

	hex_encode(digest, SIGN_DIGEST_SIZE, text);
	assert_string_equal(text, expected);
}

static struct address address_of(uint8_t byte)
{
	struct address address;

	memset(address.bytes, byte, sizeof(address.bytes));
	return address;
}

static void test_hello(void **state)
{
	struct hello_statement hello = { .network = address_of(1), .machine = { address_of(3) } };
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(hello.nonce, 2, sizeof(hello.nonce));
	hello_digest(&hello, digest);
	assert_digest(digest, "14e4afe53efbc817da13dc348637e915627b593c24a43ba7cb789dca987c9eec");
}

static void test_join(void **state)
{
	struct join_statement join = { .machine = { address_of(3) } };
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(join.token_hash, 4, sizeof(join.token_hash));
	join_digest(&join, digest);
	assert_digest(digest, "c9550434110133f215e988e1af5f8603161670ad50cc3329f9dfbdf9eedf19a5");
}

static void test_terms(void **state)
{
	struct terms_statement terms = {
		.network = address_of(1),
		.tenant = { address_of(7) },
		.machine = { address_of(3) },
		.rate_hour = { 1250000 },
		.fee_basis_points = 1500,
		.placed_at_ms = 1763831153000,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(terms.rental.bytes, 5, sizeof(terms.rental.bytes));
	memset(terms.lease.bytes, 6, sizeof(terms.lease.bytes));
	terms_digest(&terms, digest);
	assert_digest(digest, "c2ce5e77fcadba280f2efe61c53ac87b4e4b3d297352f80921bf7de1ff7901a7");
}

static void test_usage_and_receipt(void **state)
{
	struct usage_statement usage = {
		.network = address_of(1),
		.machine = { address_of(3) },
		.sequence = 42,
		.started_at_ms = 1763831153000,
		.until_ms = 1763834753000,
		.seconds = 3600,
	};
	struct receipt_statement receipt = { .charged = { 1250000 } };
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(usage.rental.bytes, 5, sizeof(usage.rental.bytes));
	memset(usage.lease.bytes, 6, sizeof(usage.lease.bytes));
	usage_digest(&usage, digest);
	assert_digest(digest, "e73493ee970f85b54fc701cdf9b31e86fa3ac576d2ad621c032db6d26bd38686");
	usage.final = true;
	usage_digest(&usage, receipt.usage_digest);
	assert_digest(receipt.usage_digest,
		      "9e452797c68b7c8e97283f6eb7bc720a05c98a0cae57d621ed7ac98e733499bb");
	receipt_digest(&receipt, digest);
	assert_digest(digest, "a2275b78267d9d41c3f57f35c7d667431cefebea393f47c83e52e248b25a496f");
}

static void test_poll(void **state)
{
	struct poll_statement poll = {
		.network = address_of(1),
		.machine = { address_of(3) },
		.checker = address_of(5),
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(poll.nonce, 6, sizeof(poll.nonce));
	poll_digest(&poll, digest);
	assert_digest(digest, "d350be9d28a50d32fb7944c57ccc6a5b809daf6b62443d2500acc174c8bac027");
}

static void test_uptime(void **state)
{
	const struct uptime_statement uptime = {
		.network = address_of(1),
		.machine = { address_of(3) },
		.checker = address_of(5),
		.hour_ms = 3600000,
		.hour = 489953,
		.polls = 60,
		.answered = 57,
		.away = { .items = { { 0, 12 }, { 300, 3600 } }, .n = 2 },
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	uptime_digest(&uptime, digest);
	assert_digest(digest, "55f991cd106d3a2b24b3540b125d6019a8443d3fc8bee87f8ee6d3f11bc11b1c");
}

static void test_checker(void **state)
{
	const struct checker_statement checker = {
		.network = address_of(1),
		.checker = address_of(5),
		.account = { address_of(7) },
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	checker_digest(&checker, digest);
	assert_digest(digest, "2ec7d390e490a567feb1e1ca4f3093ec6948c1613d40a664e26c76601f47bf91");
}

static void test_vpn(void **state)
{
	struct vpn_statement vpn = { .network = address_of(1), .at_ms = 1763831153000 };
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	vpn.machine.address = address_of(2);
	memset(vpn.public_key, 3, sizeof(vpn.public_key));
	vpn_digest(&vpn, digest);
	assert_digest(digest, "b7498ff5b38e2b7aefc5f7488894f917303b16df360646e24dd8aab94f175bc3");
}

static void test_excuse(void **state)
{
	struct excuse_statement excuse = {
		.network = address_of(1),
		.from_ms = 1763831153000,
		.until_ms = 1763831160000,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(excuse.lease.bytes, 8, sizeof(excuse.lease.bytes));
	memset(excuse.proof, 9, sizeof(excuse.proof));
	excuse_digest(&excuse, digest);
	assert_digest(digest, "b6f0a72741a9e4a11f9bc86e086f351bdf0d43c7cd546bef788cb5b70d12251e");
	memset(excuse.proof, 0, sizeof(excuse.proof));
	excuse.hour = 489953;
	excuse_digest(&excuse, digest);
	assert_digest(digest, "03156d66c1d05e66960985501715d2f779cf5ea5a0a303d5d5b9da3fa4d6859f");
}

static void test_record(void **state)
{
	struct record_statement record = {
		.placing = 2,
		.provider = { address_of(4) },
		.billed = true,
		.ended_at_ms = 1763834753000,
		.charged = { 1250000 },
		.unpaid = { 17 },
	};
	struct excuse_statement excuse = {
		.network = address_of(1),
		.from_ms = 1763831153000,
		.until_ms = 1763831154000,
	};
	uint8_t signature[SIGNATURE_SIZE], digest[SIGN_DIGEST_SIZE];

	(void)state;
	memset(record.terms_digest, 2, SIGN_DIGEST_SIZE);
	memset(record.terms_signature, 3, SIGNATURE_SIZE);
	memset(record.usage_digest, 5, SIGN_DIGEST_SIZE);
	memset(record.usage_signature, 6, SIGNATURE_SIZE);
	memset(record.receipt_signature, 7, SIGNATURE_SIZE);
	memset(excuse.lease.bytes, 6, sizeof(excuse.lease.bytes));
	memset(excuse.proof, 8, sizeof(excuse.proof));
	memset(signature, 11, sizeof(signature));
	record_excuse(&record, &excuse, signature);
	memset(excuse.proof, 0, sizeof(excuse.proof));
	excuse.hour = 489953;
	excuse.from_ms = 1763831155000;
	excuse.until_ms = 1763831156000;
	memset(signature, 12, sizeof(signature));
	record_excuse(&record, &excuse, signature);
	record_digest(&record, digest);
	assert_digest(digest, "144c82bfa53e50747bde31951aa26cf0ed69f4f5fa3962a015076637129da7a8");
	record_id(excuse.lease, 258, digest);
	assert_digest(digest, "06060606060606060606060606060606"
			      "00000000000000000000000000000102");
}

static void test_rental_and_bill(void **state)
{
	struct rental_statement rental = { .network = address_of(1),
					   .tenant = { address_of(3) },
					   .placings = 3 };
	struct bill_statement bill = { .network = address_of(1),
				       .tenant = { address_of(3) },
				       .made_at_ms = 1763834753000,
				       .placings = 3,
				       .total = { 1250000 } };
	uint8_t digest[SIGN_DIGEST_SIZE], lease[SIGN_DIGEST_SIZE];

	(void)state;
	memset(rental.rental.bytes, 2, sizeof(rental.rental.bytes));
	rental_digest(&rental, digest);
	assert_digest(digest, "a37b1589f853040dd9429794b6407510f82a364410a0c173367a61fce5cea4bc");
	rental_record_id(rental.rental, digest);
	assert_digest(digest, "02020202020202020202020202020202"
			      "00000000000000000000000000000000");
	bill.rental = rental.rental;
	memset(lease, 5, sizeof(lease));
	bill_add_lease(&bill, 1, lease);
	memset(lease, 6, sizeof(lease));
	bill_add_lease(&bill, 0, lease);
	bill_digest(&bill, digest);
	assert_digest(digest, "55f154a67b1571229292532c26d08e3fc9a4727a0f9c170561734e988e79ecb5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_usage_and_receipt),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_uptime),
		cmocka_unit_test(test_checker),
		cmocka_unit_test(test_excuse),
		cmocka_unit_test(test_vpn),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_rental_and_bill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
