// Guests' memory for a seat whose foreign.c and ports.c are fakes (fake_xen.c): descriptor FAKE_MEMORY is a memfd in
// which page N is both grant reference N and frame N of every guest; descriptor FAKE_PORTS + N is an eventfd, port N.
#pragma once

enum { FAKE_MEMORY = 99, FAKE_PORTS = 100, FAKE_PORT_COUNT = 8, FAKE_PAGES = 1 << 18, FAKE_PAGE = 4096 };
