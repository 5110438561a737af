/* popw.h - the subcommands of `kaisar popw`; they return exit statuses. */
#pragma once

int popw_prove(int argc, char **argv);
int popw_list(int argc, char **argv);
int popw_show(int argc, char **argv);
int popw_appeal(int argc, char **argv);
/* As `kaisar admin proofs`. */
int popw_admin_list(int argc, char **argv);
/* As `kaisar admin probes`. */
int popw_admin_probes(int argc, char **argv);
int popw_verify(int argc, char **argv);
int popw_uptime(int argc, char **argv);
int popw_self_test(int argc, char **argv);
int popw_bench(int argc, char **argv);
