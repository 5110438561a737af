/* vpn.h - `kaisar vpn`: machines of the mesh VPN that are nothing else, and how it does on any. */
#pragma once

int cmd_vpn_create(int argc, char **argv);
int cmd_vpn_status(int argc, char **argv);
