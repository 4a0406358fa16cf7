// Input devices, through libinput.
#pragma once

#include <stdbool.h>
#include <wayland-server-core.h>

struct seat;
struct session;
struct input;

// What can be done before there is a session, and takes longest: no device is opened. NULL after a logged reason.
struct input *input_prepare(void);

// False when out of memory. Keyboards and pointers are taken exclusively: nothing typed here reaches the service VM's
// own consoles.
bool input_start(struct input *input, struct seat *seat, struct session *session);
void input_close(struct input *input);
// The lamps of every keyboard, of those that come later too: a set of enum lamp.
void input_set_lamps(struct input *input, unsigned lamps);
void input_suspend(struct input *input);
void input_resume(struct input *input);
