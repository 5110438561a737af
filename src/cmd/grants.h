/* grants.h - `kaisar rewards grants` and `release`: KAI that becomes an account's over time. Exit statuses. */
#pragma once

int grants_show(int argc, char **argv);
int grants_release(int argc, char **argv);
