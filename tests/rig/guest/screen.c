/* The small guest's program for the switch scenario: draws a picture that only this guest can have drawn, on its
 * framebuffer (fbif) or, where there is none, on its graphics card (displif), and prints every key and button event it
 * receives, so that the rig can compare both with what it did. */
#include <dirent.h>
#include <drm.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <linux/input.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICES_MAX 8
#define MODES_MAX   8

/* Four bands, colour and white by turns, and a black square whose place depends on the colour. */
static uint32_t pixel(uint32_t colour, unsigned x, unsigned y, unsigned width, unsigned height)
{
    unsigned left = 64 + colour % 7 * 64, top = height / 4 + 32;

    if (x >= left && x < left + 64 && y >= top && y < top + 64)
        return 0;
    return x < width && (y * 4 / height) % 2 ? 0xffffff : colour;
}

static void draw_row(uint32_t *row, uint32_t colour, unsigned y, unsigned width, unsigned height)
{
    for (unsigned x = 0; x < width; x++)
        row[x] = pixel(colour, x, y, width, height);
}

static int draw_framebuffer(int fd, uint32_t colour)
{
    struct fb_var_screeninfo screen;
    struct fb_fix_screeninfo fixed;

    if (ioctl(fd, FBIOGET_VSCREENINFO, &screen) || ioctl(fd, FBIOGET_FSCREENINFO, &fixed))
        return perror("GUEST /dev/fb0"), -1;
    uint32_t *row = calloc(1, fixed.line_length);
    for (unsigned y = 0; y < screen.yres; y++) {
        draw_row(row, colour, y, screen.xres, screen.yres);
        if (pwrite(fd, row, fixed.line_length, (off_t)y * fixed.line_length) != (ssize_t)fixed.line_length)
            return perror("GUEST drawing"), -1;
    }
    free(row);
    close(fd);
    printf("GUEST drew %ux%u %06x\n", screen.xres, screen.yres, colour);
    return 0;
}

/* A buffer of the mode's size with the picture in it, as a framebuffer of the card; 0: failed. */
static uint32_t draw_buffer(int fd, uint32_t colour, const struct drm_mode_modeinfo *mode)
{
    struct drm_mode_create_dumb buffer = {.width = mode->hdisplay, .height = mode->vdisplay, .bpp = 32};
    struct drm_mode_map_dumb map = {0};
    struct drm_mode_fb_cmd framebuffer = {.width = mode->hdisplay, .height = mode->vdisplay, .bpp = 32, .depth = 24};

    if (ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &buffer))
        return 0;
    map.handle = framebuffer.handle = buffer.handle;
    framebuffer.pitch = buffer.pitch;
    if (ioctl(fd, DRM_IOCTL_MODE_ADDFB, &framebuffer) || ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
        return 0;
    char *pixels = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
    if (pixels == MAP_FAILED)
        return 0;
    for (unsigned y = 0; y < mode->vdisplay; y++)
        draw_row((uint32_t *)(pixels + (size_t)y * buffer.pitch), colour, y, mode->hdisplay, mode->vdisplay);
    return framebuffer.fb_id;
}

/* Shows the picture on the card's first connector. The descriptor stays open: its buffer is on screen. */
static int draw_card(int fd, uint32_t colour)
{
    uint32_t crtc, connector;
    struct drm_mode_modeinfo modes[MODES_MAX];
    struct drm_mode_card_res card = {.crtc_id_ptr = (uintptr_t)&crtc,
                                     .connector_id_ptr = (uintptr_t)&connector,
                                     .count_crtcs = 1,
                                     .count_connectors = 1};
    struct drm_mode_get_connector screen = {0};

    if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &card) || !card.count_crtcs || !card.count_connectors)
        return perror("GUEST card"), -1;
    screen.connector_id = connector;
    /* Asked for no modes the kernel finds them out; asked again it gives them. */
    if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &screen) || screen.count_modes > MODES_MAX)
        return perror("GUEST connector"), -1;
    screen = (struct drm_mode_get_connector){
        .connector_id = connector, .modes_ptr = (uintptr_t)modes, .count_modes = MODES_MAX};
    if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &screen) || !screen.count_modes)
        return printf("GUEST no mode\n"), -1;
    struct drm_mode_crtc show = {.crtc_id = crtc,
                                 .set_connectors_ptr = (uintptr_t)&connector,
                                 .count_connectors = 1,
                                 .mode = modes[0],
                                 .mode_valid = 1,
                                 .fb_id = draw_buffer(fd, colour, &modes[0])};
    if (!show.fb_id || ioctl(fd, DRM_IOCTL_MODE_SETCRTC, &show))
        return perror("GUEST drawing"), -1;
    printf("GUEST drew %ux%u %06x on its card\n", modes[0].hdisplay, modes[0].vdisplay, colour);
    return 0;
}

static int draw(uint32_t colour)
{
    int fd = open("/dev/fb0", O_RDWR);

    if (fd >= 0)
        return draw_framebuffer(fd, colour);
    fd = open("/dev/dri/card0", O_RDWR);
    return fd < 0 ? perror("GUEST /dev/dri/card0"), -1 : draw_card(fd, colour);
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
