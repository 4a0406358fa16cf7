/* When a key is an answer to the policy's question, and what is asked in words. */
#include "../check.h"
#include "../test_list.h"
#include "guard.h"
#include "question_text.h"

#include <glib.h>
#include <string.h>

#define BEGIN 5000000
#define LATER (BEGIN + QUESTION_MOMENT)
#define ENTER 36

static struct question_guard drawn_guard(void)
{
    struct question_guard guard = {0};
    question_guard_drawn(&guard, BEGIN);
    return guard;
}

static struct question_guard awake_guard(void)
{
    struct question_guard guard = drawn_guard();
    CHECK_EQUAL(0, question_guard_wait(&guard, LATER));
    return guard;
}

static void test_not_drawn(void)
{
    struct question_guard guard = {0};
    CHECK_EQUAL(-1, question_guard_wait(&guard, LATER));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER));
    CHECK_EQUAL(-1, question_guard_wait(&guard, LATER + QUESTION_MOMENT));
}

static void test_moment(void)
{
    struct question_guard guard = drawn_guard();
    CHECK_EQUAL(1, question_guard_wait(&guard, LATER - 1));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER - 1));
    question_guard_drawn(&guard, LATER); /* once more is no new moment, and none that is over */
    CHECK_EQUAL(QUESTION_MOMENT - 1, question_guard_wait(&guard, LATER));
    question_guard_click(&guard, LATER + 10);
    CHECK_EQUAL(1, question_guard_wait(&guard, LATER + 10 + QUESTION_MOMENT - 1));
    CHECK_EQUAL(0, question_guard_wait(&guard, LATER + 10 + QUESTION_MOMENT));
    question_guard_release(&guard, ENTER);
    CHECK_EQUAL(QUESTION_KEY_COUNTS, question_guard_press(&guard, ENTER, LATER + 20 + QUESTION_MOMENT));
}

/* Time alone does not wake it: what was pressed before is dealt with first. */
static void test_asked_to_wake(void)
{
    struct question_guard guard = drawn_guard();
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER + QUESTION_MOMENT));
}

static void test_held(void)
{
    struct question_guard guard = {0};
    question_guard_press(&guard, ENTER, BEGIN - 10);
    question_guard_drawn(&guard, BEGIN);
    CHECK_EQUAL(0, question_guard_wait(&guard, LATER));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER + 1));
    question_guard_release(&guard, ENTER);
    CHECK_EQUAL(QUESTION_KEY_COUNTS, question_guard_press(&guard, ENTER, LATER + 2));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER + 3));
    CHECK_EQUAL(QUESTION_KEY_COUNTS, question_guard_press(&guard, ENTER + 64, LATER + 4));
    question_guard_release_all(&guard);
    CHECK_EQUAL(QUESTION_KEY_COUNTS, question_guard_press(&guard, ENTER, LATER + 5));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, QUESTION_KEYS, LATER + 6));
    question_guard_release(&guard, QUESTION_KEYS);
    CHECK_EQUAL(QUESTION_KEY_COUNTS, question_guard_press(&guard, QUESTION_KEYS - 1, LATER + 7));
}

static void test_another(void)
{
    struct question_guard guard = awake_guard();
    question_guard_sleep(&guard);
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, LATER + 1));
    CHECK_EQUAL(-1, question_guard_wait(&guard, LATER + 2 * QUESTION_MOMENT));
}

static void test_ended(void)
{
    struct question_guard guard = awake_guard();
    gint64 end = LATER + 100;
    question_guard_sleep(&guard);
    question_guard_ended(&guard, end);
    CHECK_EQUAL(QUESTION_KEY_NOBODYS, question_guard_press(&guard, ENTER, end + QUESTION_MOMENT - 1));
    CHECK_EQUAL(QUESTION_KEY_NOBODYS, question_guard_press(&guard, ENTER, end + 2 * QUESTION_MOMENT - 2));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, end + 3 * QUESTION_MOMENT - 2));
    CHECK_EQUAL(QUESTION_KEY_OTHERS, question_guard_press(&guard, ENTER, end + 3 * QUESTION_MOMENT));
}

static void check_title(const char *subject, const char *verb, const char *object, const char *wanted)
{
    g_autofree char *title = question_title(subject, verb, object);
    CHECK(g_str_equal(title, wanted));
}

static void test_titles(void)
{
    check_title("work (desktop:untrusted)", "use microphone", "laptop", "May work use microphone?");
    check_title("person", "delete", "work (desktop)", "May the person at this laptop delete work?");
    check_title("work (desktop)", "send clipboard to", "home (guest:home)", "May work send clipboard to home?");
    check_title("laptop", "stop", "work (desktop)", "May this laptop stop work?");
    check_title("administrator", "change settings of", "laptop",
                "May an administrator change settings of this laptop?");
    check_title("work (desktop)", "use", "usb storage", "May work use usb storage?");
    check_title("a\u202eb (desktop)", "fly", "laptop", "May ab fly this laptop?");
    CHECK(g_str_equal(question_about("use microphone"), "hear the room"));
    CHECK(!question_about("fly"));
    CHECK(!question_guest("person"));
}

static void check_may(const char *verb, const char *object, const char *effect, const char *wanted)
{
    g_autofree char *sentence = question_may("work", verb, object, effect);
    CHECK(g_str_equal(sentence, wanted));
}

static void test_may(void)
{
    check_may("use screen", "", "allow", "work may use screen.");
    check_may("connect to", "home", "deny", "work may not connect to home.");
    check_may("use microphone", "", "ask", "work may use microphone, after a question.");
    check_may("use screen", "", "perhaps", "work may not use screen.");
}

static void test_answers(void)
{
    CHECK(g_str_equal(question_yes("once"), "Yes, this once"));
    CHECK(g_str_equal(question_yes("guest"), "Yes, until the guest stops"));
    CHECK(g_str_equal(question_yes("restart"), "Yes, until this laptop restarts"));
    CHECK(g_str_equal(question_yes("forever"), "Yes, always"));
    CHECK(g_str_equal(question_yes("time"), "Yes, for as long as the rule says"));
    CHECK(g_str_equal(question_yes("whenever"), "Yes, for as long as the rule says"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"not drawn", test_not_drawn}, {"moment", test_moment},   {"asked to wake", test_asked_to_wake},
        {"held", test_held},           {"another", test_another}, {"ended", test_ended},
        {"titles", test_titles},       {"answers", test_answers},
        {"may", test_may},
    };
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
