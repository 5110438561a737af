#include "security/policy.h"

const char *const role_words[] = { "tenant", "provider", "checker", "operator", NULL };

static const char *const permission_words[] = {
	[PERM_ACCOUNT] = "account",           [PERM_RENTAL_READ] = "rental.read",
	[PERM_RENTAL_WRITE] = "rental.write", [PERM_BILLING_READ] = "billing.read",
	[PERM_WORKER_READ] = "worker.read",   [PERM_WORKER_WRITE] = "worker.write",
	[PERM_OPERATOR] = "operator",
};

#define BIT(permission) (1u << PERM_##permission)

static const uint32_t role_permissions[] = {
	[ROLE_TENANT] = BIT(ACCOUNT) | BIT(RENTAL_READ) | BIT(RENTAL_WRITE) | BIT(BILLING_READ),
	[ROLE_PROVIDER] = BIT(ACCOUNT) | BIT(WORKER_READ) | BIT(WORKER_WRITE) | BIT(BILLING_READ),
	[ROLE_CHECKER] = BIT(ACCOUNT),
	[ROLE_OPERATOR] = BIT(ACCOUNT) | BIT(RENTAL_READ) | BIT(RENTAL_WRITE) | BIT(BILLING_READ) |
			  BIT(WORKER_READ) | BIT(WORKER_WRITE) | BIT(OPERATOR),
};

const char *permission_word(enum permission permission)
{
	return (size_t)permission < ARRAY_SIZE(permission_words) ? permission_words[permission]
								 : NULL;
}

int permission_parse(const char *word, enum permission *ret_permission)
{
	for (size_t i = PERM_ACCOUNT; i < ARRAY_SIZE(permission_words); i++) {
		if (strcmp(permission_words[i], word) != 0)
			continue;
		*ret_permission = (enum permission)i;
		return 0;
	}
	return -EINVAL;
}

int role_parse(const char *word, enum role *ret_role)
{
	for (size_t i = 0; role_words[i]; i++) {
		if (strcmp(role_words[i], word) != 0)
			continue;
		*ret_role = (enum role)i;
		return 0;
	}
	return -EINVAL;
}

uint32_t policy_permissions(uint32_t roles)
{
	uint32_t permissions = 0;

	for (size_t i = 0; i < ARRAY_SIZE(role_permissions); i++)
		if (roles >> i & 1)
			permissions |= role_permissions[i];
	return permissions;
}

bool policy_allows(uint32_t permissions, enum permission permission)
{
	if (permission == PERM_PUBLIC)
		return true;
	return permission_word(permission) && (permissions >> permission & 1);
}
