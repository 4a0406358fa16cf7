/* The small guest's program for the switch scenario: draws a picture that only this guest can have drawn and prints
 * every key and button event it receives, so that the rig can compare both with what it did. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <linux/input.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICES_MAX 8

/* Four bands, colour and white by turns, and a black square whose place depends on the colour. */
static uint32_t pixel(uint32_t colour, unsigned x, unsigned y, unsigned width, unsigned height)
{
    unsigned left = 64 + colour % 7 * 64, top = height / 4 + 32;

    if (x >= left && x < left + 64 && y >= top && y < top + 64)
        return 0;
    return x < width && (y * 4 / height) % 2 ? 0xffffff : colour;
}

static int draw(uint32_t colour)
{
    struct fb_var_screeninfo screen;
    struct fb_fix_screeninfo fixed;
    int fd = open("/dev/fb0", O_RDWR);

    if (fd < 0 || ioctl(fd, FBIOGET_VSCREENINFO, &screen) || ioctl(fd, FBIOGET_FSCREENINFO, &fixed))
        return perror("GUEST /dev/fb0"), -1;
    uint32_t *row = calloc(1, fixed.line_length);
    for (unsigned y = 0; y < screen.yres; y++) {
        for (unsigned x = 0; x < screen.xres; x++)
            row[x] = pixel(colour, x, y, screen.xres, screen.yres);
        if (pwrite(fd, row, fixed.line_length, (off_t)y * fixed.line_length) != (ssize_t)fixed.line_length)
            return perror("GUEST drawing"), -1;
    }
    free(row);
    close(fd);
    printf("GUEST drew %ux%u %06x\n", screen.xres, screen.yres, colour);
    return 0;
}

static int open_devices(struct pollfd *devices)
{
    int count = 0;
    DIR *folder = opendir("/dev/input");

    for (struct dirent *entry; folder && (entry = readdir(folder)) && count < DEVICES_MAX;)
        if (strncmp(entry->d_name, "event", 5) == 0) {
            devices[count].fd = openat(dirfd(folder), entry->d_name, O_RDONLY);
            devices[count++].events = POLLIN;
        }
    printf("GUEST listens to %d input devices\n", count);
    return count;
}

int main(int argc, char **argv)
{
    struct pollfd devices[DEVICES_MAX] = {0};
    uint32_t colour = argc > 1 ? strtoul(argv[1], NULL, 16) : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (draw(colour) < 0)
        return 1;
    int count = open_devices(devices);
    while (poll(devices, count, -1) > 0)
        for (int i = 0; i < count; i++) {
            struct input_event event;
            if (!(devices[i].revents & POLLIN) || read(devices[i].fd, &event, sizeof event) != sizeof event)
                continue;
            if (event.type == EV_KEY)
                printf("GUEST key %u %d\n", event.code, event.value);
            if (event.type == EV_ABS)
                printf("GUEST pointer %u %d\n", event.code, event.value);
        }
    return 0;
}
