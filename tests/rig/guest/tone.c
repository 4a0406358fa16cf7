/* The small guest's program for the sound scenario: tone FREQUENCY plays a tone on the first sound card without end, by
 * the kernel's own calls (sound/asound.h), for its initramfs has no libraries. It says when it plays, and when it was
 * too slow. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sound/asound.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RATE = 48000, CHANNELS = 2, PERIOD = 4096, PERIODS = 4, LOUD = 12000, COMPLAINTS_MAX = 10 };

static void allow_all(struct snd_pcm_hw_params *params)
{
    memset(params, 0, sizeof(*params));
    for (unsigned i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_MASK - SNDRV_PCM_HW_PARAM_FIRST_MASK; i++)
        memset(params->masks[i].bits, 0xff, sizeof(params->masks[i].bits));
    for (unsigned i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i++)
        params->intervals[i].max = UINT_MAX;
    params->rmask = params->info = UINT_MAX;
}

static void choose(struct snd_pcm_hw_params *params, int which, unsigned value)
{
    struct snd_mask *mask = &params->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];
    memset(mask->bits, 0, sizeof(mask->bits));
    mask->bits[value / 32] = 1U << value % 32;
}

static void set(struct snd_pcm_hw_params *params, int which, unsigned value)
{
    struct snd_interval *interval = &params->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
    interval->min = interval->max = value;
    interval->integer = 1;
}

static int open_card(void)
{
    struct snd_pcm_hw_params params;
    int card = open("/dev/snd/pcmC0D0p", O_RDWR | O_CLOEXEC);
    allow_all(&params);
    choose(&params, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
    choose(&params, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
    choose(&params, SNDRV_PCM_HW_PARAM_SUBFORMAT, SNDRV_PCM_SUBFORMAT_STD);
    set(&params, SNDRV_PCM_HW_PARAM_CHANNELS, CHANNELS);
    set(&params, SNDRV_PCM_HW_PARAM_RATE, RATE);
    set(&params, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD);
    set(&params, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
    if (card >= 0 && ioctl(card, SNDRV_PCM_IOCTL_HW_PARAMS, &params) == 0 && ioctl(card, SNDRV_PCM_IOCTL_PREPARE) == 0)
        return card;
    printf("GUEST cannot open its sound card: %s\n", strerror(errno));
    exit(1);
}

static void play(int card, double frequency)
{
    static int16_t samples[PERIOD * CHANNELS];
    unsigned long frame = 0;
    unsigned complaints = 0;
    for (unsigned round = 0;; round++) {
        for (unsigned i = 0; i < PERIOD; i++, frame++)
            samples[2 * i] = samples[2 * i + 1] = (int16_t)(LOUD * sin(2 * M_PI * frequency * (double)frame / RATE));
        struct snd_xferi transfer = {.buf = samples, .frames = PERIOD};
        if (ioctl(card, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &transfer) != 0) {
            if (complaints++ < COMPLAINTS_MAX)
                printf("GUEST was not heard for a while: %s\n", strerror(errno));
            if (errno != EPIPE || ioctl(card, SNDRV_PCM_IOCTL_PREPARE) != 0)
                return;
        }
        if (round == PERIODS * 3)
            printf("GUEST plays %.0f\n", frequency);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    play(open_card(), atof(argv[1]));
    return 1;
}
