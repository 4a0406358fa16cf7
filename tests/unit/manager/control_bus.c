/* roundhousectl as a process, with the service and without. */
#include "service.h"

#include <png.h>
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
    expect_text(control(3, "list", NULL), "roundhoused is not running");
    define(fixture, "work", 1, "memory_mib=256");
    define(fixture, "broken", 2, "cmdline=create_error=no-kernel");
    define(fixture, "extra", 0, "");
    start_service(fixture);
    expect_text(control(0, "list", NULL), "  1  work                     off            -    256 MiB     1");
    expect_text(control(0, "list", NULL), "  -  extra                    off ");
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
}

static void test_sound(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    define(fixture, "work", 1, "");
    define(fixture, "extra", 0, ""); /* is lent a slot */
    define(fixture, "blind", 0, "display=none");
    start_service(fixture);
    expect_text(control(0, "status", NULL), "volume        100 %\nmicrophone    slot 0\n");
    expect_text(control(0, "volume", "40", NULL), "");
    expect_text(control(0, "status", NULL), "volume        40 %");
    expect_text(control(2, "volume", "101", NULL), "\"101\" is not a volume from 0 to 100 percent.");
    expect_text(control(2, "volume", "loud", NULL), "\"loud\" is not a volume from 0 to 100 percent.");
    expect_text(control(2, "volume", NULL), "it is \"roundhousectl volume PERCENT\"");
    expect_text(control(1, "microphone", "work", NULL), "work is off. Start it first.");
    expect_text(control(0, "start", "work", NULL), "");
    expect_text(control(0, "start", "extra", NULL), "");
    expect_text(control(0, "start", "blind", NULL), "");
    expect_text(control(0, "microphone", "work", NULL), "");
    expect_text(control(0, "status", NULL), "microphone    slot 1\n");
    expect_text(control(0, "microphone", "extra", NULL), "");
    expect_text(control(0, "status", NULL), "microphone    slot 9\n");
    expect_text(control(1, "microphone", "blind", NULL), "blind has no screen, and so no microphone.");
    expect_text(control(0, "status", "--json", NULL), "\"MicrophoneSlot\": 9");
    expect_text(control(0, "microphone", "nobody", NULL), "");
    expect_text(control(0, "status", NULL), "microphone    slot 0\n");
}

static void test_policy(struct fixture *fixture, gconstpointer data)
{
    static const char text[] = "policy mine\nlabel untrusted\n"
                               "allow the laptop to control, run device model of the laptop and any guest\n"
                               "allow the laptop to drive hardware\nallow the administrator to change policy\n"
                               "allow the administrator to see any guest and the laptop\n";
    g_autofree char *good = g_build_filename(fixture->directory, "mine.policy", NULL);
    g_autofree char *bad = g_build_filename(fixture->directory, "bad.policy", NULL);
    (void)data;
    g_assert_true(g_file_set_contents(good, text, -1, NULL) && g_file_set_contents(bad, "policy x\nallow\n", -1, NULL));
    expect_text(control(0, "policy", "check", good, NULL), "mine.policy is good");
    expect_text(control(1, "policy", "check", bad, NULL), "bad.policy:2:");
    expect_text(control(3, "policy", "status", NULL), "roundhoused is not running");
    define(fixture, "work", 1, "");
    start_service(fixture);
    expect_text(control(0, "policy", "status", NULL), "no policy is in force");
    expect_text(control(0, "policy", "explain", "administrator", "start", "work", NULL), "allow\n");
    expect_text(control(1, "policy", "load", bad, NULL), "is no policy that can be used.");
    expect_text(control(0, "policy", "load", good, NULL), "");
    expect_text(control(0, "policy", "status", NULL), "mine\n");
    expect_text(control(4, "start", "work", NULL), "what nothing says is denied");
    expect_text(control(0, "policy", "log", NULL),
                "denied: administrator to start work (desktop): what nothing says is denied");
    expect_text(control(0, "policy", "log", "--json", NULL), "\"denied\"");
    expect_text(control(0, "policy", "explain", "administrator", "see", "work", NULL),
                "allow: mine.policy:6: allow administrator to see any guest and laptop");
    expect_text(control(1, "policy", "explain", "administrator", "fly", "work", NULL), "There is no verb \"fly\"");
    expect_text(control(1, "policy", "explain", "nobody", "see", NULL), "There is no guest called \"nobody\"");
    expect_text(control(2, "policy", "explain", "work", NULL), "SUBJECT VERB [OBJECT]");
    expect_text(control(2, "policy", "fly", NULL), "one of \"roundhousectl policy status\"");
    expect_text(control(2, "policy", "status", "--json", NULL), "without --json");
}

/* Words that make no sense are told before anybody is asked. */
static void test_words(struct fixture *fixture, gconstpointer data)
{
    (void)fixture, (void)data;
    expect_text(control(2, "start", NULL), "it is \"roundhousectl start NAME\"");
    expect_text(control(2, "start", "a", "b", NULL), "it is \"roundhousectl start NAME\"");
    expect_text(control(2, "fly", NULL), "there is no command \"fly\"");
    expect_text(control(2, "list", "x", NULL), "it is \"roundhousectl list\"");
    expect_text(control(2, "start", "x", "--json", NULL), "start does not know --json");
    expect_text(control(2, "list", "--yes", NULL), "list does not know --yes");
    expect_text(control(2, "start", "x", "--quick", NULL), "--quick");
    expect_text(control(2, NULL), "Usage: roundhousectl COMMAND");
    expect_text(control(0, "--help", NULL), "Usage: roundhousectl COMMAND");
    expect_text(control(0, "help", NULL), "Usage: roundhousectl COMMAND");
    expect_text(control(0, "create", "-h", NULL), "Usage: roundhousectl create NAME [SETTING=VALUE...]");
    expect_text(control(0, "--version", NULL), "roundhousectl 0.1");
}

static void test_json(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    define(fixture, "work", 1, "cmdline=a\"b\\\\c\\td");
    start_service(fixture);
    expect_text(control(0, "list", "--json", NULL), "\"Name\": \"work\"");
    expect_text(control(0, "--json", "list", NULL), "\"Path\": \"/org/roundhouse/guests/work\"");
    expect_text(control(0, "status", "--json", NULL), "\"FocusedSlot\": 0");
    expect_text(control(0, "status", "work", "--json", NULL), "\"Autostart\": false");
    expect_text(control(0, "settings", "work", "--json", NULL), "\"cmdline\": \"a\\\"b\\\\c\\u0009d\"");
    expect_text(control(0, "jobs", "--json", NULL), "[]\n");
}

static void test_editing(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *script = g_build_filename(fixture->directory, "editor", NULL);
    (void)data;
    start_service(fixture);
    expect_text(control(0, "create", "my-desk", "kernel=/k", "slot=3", "cmdline=root=/dev/xvda quiet", NULL), "");
    expect_text(control(0, "settings", "my-desk", NULL), "\ncmdline=root=/dev/xvda quiet\n");
    expect_text(control(0, "jobs", NULL), "create    my-desk                  done        100 %");
    expect_text(control(1, "create", "my-desk", "kernel=/k", NULL),
                "name: there is a guest called \"my-desk\" already");
    expect_text(control(1, "create", "other", "kernel=/k", "vcpus=0", NULL),
                "roundhousectl: vcpus: \"0\" is not a number");
    expect_text(control(2, "create", "other", "kernel", NULL), "\"kernel\" is no setting; write SETTING=VALUE");
    expect_text(control(2, "create", "other", "name=x", NULL), "the name is said once");
    expect_text(control(0, "edit", "my-desk", "vcpus=4", "slot=", NULL), "");
    expect_text(control(0, "settings", "my-desk", NULL), "slot=0\n");
    expect_text(control(0, "settings", "my-desk", "--json", NULL), "\"vcpus\": 4");

    g_assert_true(
        g_file_set_contents(script, "#!/bin/sh\nsed -i -e s/vcpus=4/vcpus=5/ -e /cmdline/d \"$1\"\n", -1, NULL));
    g_chmod(script, 0700);
    g_setenv("EDITOR", script, TRUE);
    g_unsetenv("VISUAL");
    expect_text(control(0, "edit", "my-desk", NULL), "");
    expect_text(control(0, "settings", "my-desk", NULL), "vcpus=5\n");
    expect_text(control(0, "settings", "my-desk", NULL), "cmdline=\n");
    g_assert_true(g_file_set_contents(script, "#!/bin/sh\nsed -i s/vcpus=5/vcpus=99/ \"$1\"\n", -1, NULL));
    g_chmod(script, 0700);
    expect_text(control(1, "edit", "my-desk", NULL), "roundhousectl: vcpus: \"99\" is not a number from 1 to 32.");
    expect_text(control(0, "settings", "my-desk", NULL), "vcpus=5\n");

    expect_text(control(0, "rename", "my-desk", "desk", NULL), "");
    expect_text(control(2, "delete", "desk", NULL), "desk stays. Say --yes");
    expect_text(control(0, "delete", "desk", "--yes", NULL), "");
    expect_text(control(1, "status", "desk", NULL), "There is no guest called \"desk\".");
    expect_text(control(1, "cancel", "1", NULL), "This has ended already.");
    expect_text(control(1, "cancel", "77", NULL), "There is no job 77.");
}

static void test_images(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *raw = g_build_filename(fixture->directory, "raw", NULL);
    g_autofree char *out = g_build_filename(fixture->directory, "out.qcow2", NULL);
    (void)data;
    expect_text(control(3, "image", "list", NULL), "roundhoused is not running");
    make_pool(fixture);
    start_service(fixture);
    run(fixture, "head -c 1048576 /dev/urandom >raw");
    expect_text(control(0, "image", "--help", NULL), "  import  NAME FILE ");
    expect_text(control(2, "image", "fly", NULL), "there is no \"image fly\"");
    expect_text(control(2, "image", "create", "one", NULL), "it is \"roundhousectl image create\" with other words");
    expect_text(control(2, "image", "create", "one", "20X", NULL), "\"20X\" is no size; give a number");
    expect_text(control(2, "image", "create", "one", "20GB", NULL), "\"20GB\" is no size");
    expect_text(control(2, "image", "create", "one", "0", NULL), "\"0\" is no size");
    expect_text(control(2, "image", "create", "one", "99999999T", NULL), "is no size");
    expect_text(control(2, "image", "create", "one", "1M", "--json", NULL), "image create does not know this option");
    expect_text(control(0, "image", "create", "one", "1M", NULL), "");
    expect_text(control(0, "image", "grow", "one", "2m", NULL), "");
    expect_text(control(0, "image", "clone", "one", "two", NULL), "");
    expect_text(control(0, "image", "rename", "two", "three", NULL), "");
    expect_text(control(0, "image", "import", "four", raw, NULL), "");
    expect_text(control(1, "image", "import", "five", "/nonexistent", NULL), "/nonexistent cannot be opened: No such");
    expect_text(control(0, "image", "export", "four", out, NULL), "");
    run(fixture, "qemu-img compare -q -f raw -F qcow2 raw out.qcow2");
    expect_text(control(1, "image", "export", "four", out, NULL), "out.qcow2 cannot be made: File exists");
    run(fixture, "rm out.qcow2");
    expect_text(control(1, "image", "export", "four", out, "zip", NULL), "\"zip\" is no format of images");
    run(fixture, "test ! -e out.qcow2");
    expect_text(control(0, "image", "list", NULL), "three                               2.0 MiB");
    expect_text(control(0, "image", "list", "--json", NULL), "\"name\": \"four\", \"size\": 1048576, ");
    expect_text(control(2, "image", "delete", "one", NULL), "one stays. Say --yes");
    expect_text(control(0, "image", "delete", "one", "--yes", NULL), "");
    expect_text(control(1, "image", "delete", "one", "--yes", NULL), "There is no image called \"one\".");
}

/* Disks in the order of their options; a size behind the last comma is one. */
static void test_create_disks(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *raw = g_build_filename(fixture->directory, "raw", NULL);
    g_autofree char *larger = g_strdup_printf("%s,2M", raw);
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    run(fixture, "head -c 1048576 /dev/urandom >raw");
    expect_text(
        control(0, "create", "work", "kernel=/k", "--disk-import", larger, "--disk", "1M", "--disk-import", raw, NULL),
        "");
    expect_text(control(0, "create", "other", "kernel=/k", "--disk-clone", "work,3M", "--disk-clone=work", NULL), "");
    expect_text(control(0, "image", "list", "--json", NULL), "\"other\", \"size\": 3145728, ");
    expect_text(control(0, "image", "list", "--json", NULL), "\"other-2\", \"size\": 2097152, ");
    expect_text(control(0, "image", "list", "--json", NULL), "\"work-2\", \"size\": 1048576, ");
    run(fixture, "cmp raw pool/images/work-3/disk.img; cmp -n 1048576 raw pool/images/other-2/disk.img");
    expect_text(control(2, "create", "bad", "kernel=/k", "--disk", "much", NULL), "\"much\" is no size");
    expect_text(control(1, "create", "bad", "kernel=/k", "--disk-import", "/nonexistent", NULL), "cannot be opened");
    expect_text(control(1, "create", "bad", "kernel=/k", "--disk-clone", "missing", NULL), "There is no image called");
    expect_text(control(2, "start", "work", "--disk", "1M", NULL), "start does not know --disk");
    expect_text(control(2, "start", "work", "--with-images", NULL), "start does not know --with-images");
    expect_text(control(2, "delete", "work", "--with-images", NULL), "work stays. Say --yes");
    expect_text(control(0, "delete", "work", "--with-images", "--yes", NULL), "");
    run(fixture, "test ! -e pool/images/work; test -e pool/images/other");
}

/* The first time in the list, as it is printed. */
static char *first_time(void)
{
    g_autofree char *output = control(0, "points", "work", NULL);
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    g_auto(GStrv) words = g_strsplit(lines[1], " ", 2);
    return g_strdup(words[0]);
}

static void test_points(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    expect_text(control(0, "create", "work", "kernel=/k", "--disk", "1M", NULL), "");
    expect_text(control(1, "undo", "work", NULL), "work has no point to go back to");
    expect_text(control(0, "snapshot", "work", "clean", NULL), "");
    run(fixture, "cd pool/images/work && echo changed >disk.img");
    g_autofree char *time = first_time();
    expect_text(control(0, "points", "work", NULL), "    1.0 MiB clean\n");
    expect_text(control(0, "points", "work", "--json", NULL),
                "\"label\": \"clean\", \"size\": 1048576, \"picture\": false}]");
    expect_text(control(1, "revert", "work", "1999", NULL), "There is no point of \"1999\"");
    expect_text(control(1, "revert", "work", "1234567890123", NULL), "There is no such point any more");
    expect_text(control(0, "revert", "work", time, NULL), "");
    run(fixture, "cd pool/images/work && test $(stat -c %s disk.img) = 1048576");
    expect_text(control(1, "revert", "work", "2", NULL), "There are several points of \"2\"");
    expect_text(control(0, "undo", "work", NULL), "");
    run(fixture, "cd pool/images/work && grep -q changed disk.img");
    expect_text(control(0, "forget", "work", time, NULL), "");
    expect_text(control(1, "forget", "work", time, NULL), "There is no point of");
    expect_text(control(0, "snapshot", "work", NULL), "");
    expect_text(control(0, "points", "work", NULL), " snapshot\n");
}

static void test_screenshot(struct fixture *fixture, gconstpointer data)
{
    static const guint8 shown[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 0x12, 0x34, 0x56}; /* display_fake.c */
    g_autofree char *file = g_build_filename(fixture->directory, "shot.png", NULL);
    png_image image = {.version = PNG_IMAGE_VERSION};
    guint8 pixels[sizeof(shown)];
    (void)data;
    define(fixture, "work", 1, "");
    define(fixture, "blank", 9, "");
    start_service(fixture);
    expect_text(control(1, "screenshot", "work", file, NULL), "It has no screen now.");
    run(fixture, "test ! -e shot.png");
    expect_text(control(0, "start", "work", NULL), "");
    expect_text(control(0, "screenshot", "work", file, NULL), "");
    g_assert_true(png_image_begin_read_from_file(&image, file) && image.width == 2 && image.height == 2);
    g_assert_cmpuint(image.format, ==, PNG_FORMAT_RGB);
    g_assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    g_assert_cmpmem(pixels, sizeof(pixels), shown, sizeof(shown));
    expect_text(control(1, "screenshot", "work", file, NULL), "cannot be made"); /* it is there */
    run(fixture, "test -s shot.png && rm shot.png");
    expect_text(control(0, "start", "blank", NULL), "");
    expect_text(control(1, "screenshot", "blank", file, NULL), "It shows nothing just now.");
    run(fixture, "test ! -e shot.png");
}

static void test_disc(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *disc = g_build_filename(fixture->directory, "disc", NULL);
    g_autofree char *iso = g_build_filename(fixture->directory, "iso", NULL);
    (void)data;
    g_setenv("ROUNDHOUSE_FAKE_DISC", disc, TRUE);
    define(fixture, "pc", 1, "type=hvm\ncdrom=empty");
    start_service(fixture);
    run(fixture, "echo -n 'an ISO' >iso");
    expect_text(control(1, "disc", "pc", iso, NULL), "pc is off.");
    expect_text(control(0, "start", "pc", NULL), "");
    expect_text(control(2, "disc", "pc", NULL), "give either a file or --eject after pc");
    expect_text(control(2, "disc", "pc", iso, "--eject", NULL), "give either a file or --eject after pc");
    expect_text(control(1, "disc", "pc", "/nonexistent", NULL), "cannot be opened");
    expect_text(control(0, "disc", "pc", iso, NULL), "");
    run(fixture, "grep -q 'an ISO' disc");
    expect_text(control(0, "disc", "pc", "--eject", NULL), "");
    run(fixture, "test ! -s disc");
}

/* Who may not, can be told from what failed. */
static void test_not_allowed(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", "4242", TRUE);
    start_service(fixture);
    expect_text(control(4, "start", "work", NULL), "roundhousectl: You may not do this (org.roundhouse.use).");
    expect_text(control(0, "list", NULL), "work");
}

/* xl is asked for by the domain's number. */
static void test_console(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *xl = g_build_filename(fixture->directory, "xl", NULL);
    g_autofree char *before = g_strdup(g_getenv("PATH")), *path = g_strconcat(fixture->directory, ":", before, NULL);
    (void)data;
    define(fixture, "work", 1, "");
    g_assert_true(g_file_set_contents(xl, "#!/bin/sh\necho \"xl $*\"\n", -1, NULL));
    g_chmod(xl, 0700);
    g_setenv("PATH", path, TRUE);
    start_service(fixture);
    expect_text(control(1, "console", "work", NULL), "work is off. Start it first.");
    expect_text(control(0, "start", "work", NULL), "");
    expect_text(control(0, "console", "work", NULL), "xl console 1\n");
    g_setenv("PATH", before, TRUE);
}

static char *import(struct fixture *fixture, const char *text, int status)
{
    g_autofree char *path = g_build_filename(fixture->directory, "file", NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return control(status, "import", "--dry-run", path, NULL);
}

static void expect_exactly(char *output, const char *text)
{
    g_assert_cmpstr(output, ==, text);
    g_free(output);
}

static void test_import_xl(struct fixture *fixture, gconstpointer data)
{
    static const char text[] = "# a guest\nname = \"web\"\nbuilder='hvm'; memory = 2048\nvcpus=2 # two\nbios=\"ovmf\"\n"
                               "boot=\"dc\"\ndisk = [ 'phy:/dev/vg/web,hda,w',\n  '/iso/cd.iso,,hdc,cdrom', # the CD\n"
                               "  'format=raw, vdev=sdb, access=ro, target=/d.img', '/q.qcow2,qcow2,xvdd,rw' ]\n"
                               "vif = ['mac=00:16:3e:01:02:03,bridge=br0,model=e1000', '']\n"
                               "extra=\"quiet\"\nroot=\"/dev/xvda\"\nusb=1\n";
    (void)data;
    expect_exactly(
        import(fixture, text, 0),
        "line 7: the disk sdb is called xvdb here; its system may have to be told.\n"
        "line 7: the disk \"/q.qcow2,qcow2,xvdd,rw\": an image must be raw; \"qemu-img convert -O raw\" makes one.\n"
        "line 10: \"model=e1000\" of the network card.\n"
        "line 10: the network card \"\": a guest has one.\n"
        "line 13: \"usb\" has no meaning here.\n"
        "boot=dc\n"
        "cmdline=root=/dev/xvda quiet\n"
        "disk=/dev/vg/web,hda,rw; /iso/cd.iso,hdc,cdrom; /d.img,xvdb,ro\n"
        "firmware=uefi\n"
        "mac=00:16:3e:01:02:03\n"
        "memory_mib=2048\n"
        "name=web\n"
        "network=br0\n"
        "type=hvm\n"
        "vcpus=2\n");
    expect_text(import(fixture, "name = \"web\nmemory=1\n", 1), "Line 1 is not NAME = VALUE.");
    expect_text(import(fixture, "name = 'web'\ndisk = ['a'", 1), "Line 2 is not NAME = VALUE.");
    expect_text(import(fixture, "name = 'web' x\n", 1), "Line 1 is not NAME = VALUE.");
    expect_text(import(fixture, "\xff", 1), "no text in UTF-8");
}

static void test_import_libvirt(struct fixture *fixture, gconstpointer data)
{
    static const char text[] =
        "<?xml version=\"1.0\"?>\n<domain type='xen'>\n<name>web</name>\n<uuid>0f</uuid>\n<memory "
        "unit='GiB'>2</memory>\n"
        "<vcpu placement='static'> 2 </vcpu>\n<os><type "
        "arch='x86_64'>hvm</type>\n<loader>/usr/share/OVMF/OVMF.fd</loader>\n"
        "<boot dev='cdrom'/><boot dev='hd'/></os>\n<features><acpi/><pae/></features>\n<devices>\n"
        "<disk type='block' device='disk'><driver type='raw'/><source dev='/dev/vg/web'/><target dev='hda'/></disk>\n"
        "<disk device='cdrom'><source file='/iso/a&amp;b.iso'/><target dev='hdc'/><readonly/></disk>\n"
        "<disk device='cdrom'><target dev='hdd'/></disk>\n"
        "<disk><driver type='qcow2'/><source file='/q.qcow2'/><target dev='vdb'/></disk>\n"
        "<disk><source file='/d.img'/><target dev='vdc'/></disk>\n"
        "<interface type='bridge'><mac address='00:16:3e:01:02:03'/><source bridge='br0'/></interface>\n"
        "<interface type='bridge'/>\n<graphics type='vnc'/>\n</devices></domain>\n";
    (void)data;
    expect_exactly(import(fixture, text, 0),
                   "line 4: <uuid> has no meaning here.\n"
                   "line 10: <features> has no meaning here.\n"
                   "line 14: a drive without an image.\n"
                   "line 15: the disk /q.qcow2: an image must be raw; \"qemu-img convert -O raw\" makes one.\n"
                   "line 16: the disk vdc is called xvdc here; its system may have to be told.\n"
                   "line 18: a network card: a guest has one.\n"
                   "line 19: <graphics> has no meaning here.\n"
                   "boot=dc\n"
                   "disk=/dev/vg/web,hda,rw; /iso/a&b.iso,hdc,cdrom; /d.img,xvdc,rw\n"
                   "firmware=uefi\n"
                   "mac=00:16:3e:01:02:03\n"
                   "memory_mib=2048\n"
                   "name=web\n"
                   "network=br0\n"
                   "type=hvm\n"
                   "vcpus=2\n");
    expect_text(import(fixture, "<network/>", 1), "It describes no <domain>.");
    expect_text(import(fixture, "<domain><name>x</domain>", 1), "cannot be imported.");
}

/* What was told becomes a guest, under the name that is asked for. */
static void test_import(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "file", NULL);
    (void)data;
    start_service(fixture);
    g_assert_true(g_file_set_contents(path, "name='web'\nkernel='/k'\nmemory=99\n", -1, NULL));
    expect_text(control(0, "import", path, "--name", "other", NULL), "");
    expect_text(control(0, "settings", "other", NULL), "memory_mib=99\n");
    expect_text(control(1, "import", path, "--name", "other", NULL), "name: there is a guest called \"other\" already");
    expect_text(control(1, "import", "/nonexistent", NULL), "No such file");
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/control/command-line", test_command_line},
        {"/control/sound", test_sound},
        {"/control/policy", test_policy},
        {"/control/words", test_words},
        {"/control/json", test_json},
        {"/control/editing", test_editing},
        {"/control/console", test_console},
        {"/control/images", test_images},
        {"/control/create-disks", test_create_disks},
        {"/control/points", test_points},
        {"/control/disc", test_disc},
        {"/control/screenshot", test_screenshot},
        {"/control/not-allowed", test_not_allowed},
        {"/control/import-xl", test_import_xl},
        {"/control/import-libvirt", test_import_libvirt},
        {"/control/import", test_import},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
