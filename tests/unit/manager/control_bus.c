/* roundhousectl as a process, with the service and without. */
#include "service.h"

#include <string.h>

static char *control(int expected_status, ...) G_GNUC_NULL_TERMINATED;

static char *control(int expected_status, ...)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    va_list list;
    g_ptr_array_add(words, (char *)g_getenv("ROUNDHOUSECTL"));
    va_start(list, expected_status);
    for (const char *word; (word = va_arg(list, const char *));)
        g_ptr_array_add(words, (char *)word);
    va_end(list);
    g_ptr_array_add(words, NULL);
    g_autoptr(GSubprocess) process = g_subprocess_newv(
        (const char *const *)words->pdata, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &output, NULL, &error));
    g_assert_cmpint(g_subprocess_get_exit_status(process), ==, expected_status);
    return output;
}

static void expect_text(char *output, const char *text)
{
    if (!strstr(output, text))
        g_error("roundhousectl said \"%s\" and not \"%s\"", output, text);
    g_free(output);
}

static void test_command_line(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    expect_text(control(1, "list", NULL), "roundhoused is not running");
    define(fixture, "work", 1, "memory_mib=256");
    define(fixture, "broken", 2, "cmdline=create_error=no-kernel");
    start_service(fixture);
    expect_text(control(0, "list", NULL), "  1  work                     off            -    256 MiB     1");
    expect_text(control(0, "start", "work", NULL), "");
    expect_text(control(0, "switch", "work", NULL), "");
    expect_text(control(0, "list", NULL), "  1* work                     running        1");
    expect_text(control(0, "status", "work", NULL), "state       running");
    expect_text(control(0, "status", NULL), "4.17-test");
    expect_text(control(0, "pause", "work", NULL), "");
    expect_text(control(0, "unpause", "work", NULL), "");
    expect_text(control(0, "switch", "switcher", NULL), "");
    expect_text(control(0, "destroy", "work", NULL), "");
    expect_text(control(1, "destroy", "work", NULL), "roundhousectl: work is off. Start it first.");
    expect_text(control(1, "start", "broken", NULL), "roundhousectl: broken could not be started.");
    expect_text(control(0, "status", "broken", NULL), "error       broken could not be started.");
    expect_text(control(1, "start", "nobody", NULL), "There is no guest called \"nobody\".");
    expect_text(control(1, "start", NULL), "needs the name of one guest");
    expect_text(control(1, "fly", NULL), "there is no command \"fly\"");
    expect_text(control(1, "list", "x", NULL), "takes no name");
    expect_text(control(0, "--help", NULL), "Usage: roundhousectl");
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/control/command-line", test_command_line},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
