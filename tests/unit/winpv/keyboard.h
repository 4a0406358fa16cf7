/* A machine with the shipped pvbus and pvinput in it, a back end that checks, and reports read by their descriptor. */
#ifndef WINPV_KEYBOARD_H
#define WINPV_KEYBOARD_H

#include "hidclass.h"
#include "kbdback.h"
#include "machine.h"

extern const char *pvinput_file;

void keyboard_boot(unsigned processors);
/* All of it: a back end that offers this, and the driver connected to it. */
struct kbdback *keyboard_run(struct system *system, struct kbdback offers);
void keyboard_end(struct system *system);
bool front_state_is(const char *wanted);

/* The next report that HIDCLASS got, which stays until the next call; false: there is none. */
bool next_report(void);
unsigned report_id(void);
int value_of(unsigned page, unsigned usage); /* in that report, which must have it */
unsigned keys_down(void);                    /* how many of the keyboard's page it has, modifiers too */
bool says_rollover(void);

#define PAGE_DESKTOP 1
#define PAGE_KEYS    7
#define PAGE_BUTTONS 9
#define PAGE_MEDIA   12
#define PAGE_DIGITS  13
#define USAGE_X      0x30
#define USAGE_Y      0x31
#define USAGE_WHEEL  0x38

/* What this driver's reports are numbered. */
enum { KEYBOARD = 1, MEDIA, RELATIVE, ABSOLUTE, TOUCH };

#endif
