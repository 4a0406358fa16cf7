// The whole seat, headless, in a process of its own; the test is its manager (and may be its interface).
// Everything fails the test and ends it when the seat does not answer.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../check.h"
#include "link_protocol.h"

enum { WIDTH = 320, HEIGHT = 200, STRIP = 24, PATIENCE_MS = 20000 }; // the stage, and below it the strip

extern pid_t seat_pid;
extern int manager; // the link; -1 while there is none
extern char ui_path[64], memory_path[64];
extern uint32_t screen[HEIGHT + STRIP][WIDTH]; // by look()

// Starts the seat; a second time: another seat at the same place.
void seat_start_process(const char *program);
void seat_kill(void); // with SIGKILL
bool seat_lives(void);
// Ends the seat in good order and removes its files.
void seat_end(void);

// The manager's half of the link.
void connect_manager(void);          // without HELLO
void hello(const uint32_t *domains); // by slot; NULL: none
void reconnect(const uint32_t *domains);
void tell(const struct link_message *message, int fd);
struct link_message hear(void);               // type 0: the seat hung up
bool heard_nothing(int ms);                   // within that time
struct link_message hear_type(uint32_t type); // drops what comes before
void add_guest(unsigned slot, uint32_t domid, uint32_t rgb);
void focus(unsigned slot); // asks only
void look(void);           // at the last frame
uint32_t at(int x, int y);
// Frames take a moment to be on screen: looks until the pixel has the colour, or for long enough. Drops what the seat
// says meanwhile.
bool shows(int x, int y, uint32_t rgb);
extern void (*while_waiting)(void); // called between two looks

// A device model of 64 by 48 pixels: connects as the slot's guest, shakes hands, and draws all of it in a colour.
int model_connect(unsigned slot);
void model_greets(int model);
void model_draws(int model, uint32_t rgb);
void model_says(int model, const void *bytes, size_t size);
void model_hears(int model, size_t size);
