/* What counts as an answer. */
#include "guard.h"

#include <string.h>

void question_guard_sleep(struct question_guard *guard)
{
    guard->awake = false;
    guard->quiet_since = 0;
}

void question_guard_drawn(struct question_guard *guard, int64_t now)
{
    if (!guard->quiet_since)
        guard->quiet_since = now;
}

int64_t question_guard_wait(struct question_guard *guard, int64_t now)
{
    if (!guard->quiet_since)
        return -1;
    int64_t left = guard->quiet_since + QUESTION_MOMENT - now;
    guard->awake |= left <= 0;
    return guard->awake ? 0 : left;
}

void question_guard_click(struct question_guard *guard, int64_t now)
{
    if (!guard->awake && guard->quiet_since)
        guard->quiet_since = now;
}

static bool was_held(struct question_guard *guard, unsigned key)
{
    if (key >= QUESTION_KEYS)
        return true;
    uint64_t bit = UINT64_C(1) << key % 64, before = guard->held[key / 64];
    guard->held[key / 64] |= bit;
    return before & bit;
}

enum question_key question_guard_press(struct question_guard *guard, unsigned key, int64_t now)
{
    bool held = was_held(guard, key);
    question_guard_click(guard, now);
    if (guard->deaf_since && now - guard->deaf_since < QUESTION_MOMENT) {
        guard->deaf_since = now;
        return QUESTION_KEY_NOBODYS;
    }
    guard->deaf_since = 0;
    return guard->awake && !held ? QUESTION_KEY_COUNTS : QUESTION_KEY_OTHERS;
}

void question_guard_release(struct question_guard *guard, unsigned key)
{
    if (key < QUESTION_KEYS)
        guard->held[key / 64] &= ~(UINT64_C(1) << key % 64);
}

void question_guard_release_all(struct question_guard *guard)
{
    memset(guard->held, 0, sizeof(guard->held));
}

void question_guard_ended(struct question_guard *guard, int64_t now)
{
    guard->deaf_since = now;
}
