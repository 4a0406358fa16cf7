/*
 * When a key or a click is an answer to a question that comes by itself, and not something else that the person was
 * doing. Plain C; times are microseconds of one clock that only goes forward.
 *
 * A question is asleep until it has been drawn and, from then on, QUESTION_MOMENT has passed in which no key and no
 * button was pressed. Asleep it takes nothing: what is pressed goes where it would have gone, and begins the moment
 * anew. A key that is held counts once, as it goes down, so what is held before counts for nothing. When a question
 * ends that had the keyboard, keys are nobody's until a moment without one has passed, for they were meant for it.
 */
#ifndef RH_QUESTION_GUARD_H
#define RH_QUESTION_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define QUESTION_MOMENT 1000000
#define QUESTION_KEYS   1024 /* codes of keys; of those above, each counts as held */

struct question_guard {
    int64_t quiet_since; /* 0: it has not been drawn */
    int64_t deaf_since;  /* 0: keys are somebody's */
    bool awake;
    uint64_t held[QUESTION_KEYS / 64];
};

enum question_key {
    QUESTION_KEY_COUNTS,  /* for a question that has the keyboard, or gets it */
    QUESTION_KEY_OTHERS,  /* it is none of the question's business */
    QUESTION_KEY_NOBODYS, /* to be thrown away */
};

/* Another question, or it is on screen again: it sleeps, and has to be drawn. */
void question_guard_sleep(struct question_guard *guard);
void question_guard_drawn(struct question_guard *guard, int64_t now);

/* Asked when what had been pressed before is dealt with: 0, it is awake; otherwise so long from now at least; -1: it
 * has not been drawn. */
int64_t question_guard_wait(struct question_guard *guard, int64_t now);

enum question_key question_guard_press(struct question_guard *guard, unsigned key, int64_t now);
void question_guard_release(struct question_guard *guard, unsigned key);
/* The keyboard went elsewhere: what is released there is not told here. */
void question_guard_release_all(struct question_guard *guard);
/* A button of the pointer. */
void question_guard_click(struct question_guard *guard, int64_t now);

/* A question that had the keyboard has lost it. */
void question_guard_ended(struct question_guard *guard, int64_t now);

#endif
