// Input devices, through libinput.
#pragma once

#include <wayland-server-core.h>

struct seat;
struct session;
struct input;

// NULL after a logged reason. Keyboards and pointers are taken exclusively: nothing typed here reaches the
// service VM's own consoles.
struct input *input_open(struct seat *seat, struct session *session);
void input_close(struct input *input);
void input_suspend(struct input *input);
void input_resume(struct input *input);
