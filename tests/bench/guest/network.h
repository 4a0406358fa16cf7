/* What both ends of the measured connection know. */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include <sys/socket.h>
#include <unistd.h>

#define GUEST_ADDRESS   "10.9.0.2"
#define DOMAIN0_ADDRESS "10.9.0.1" /* domain0/card gives it */
#define NETWORK_PORT    5001
#define NETWORK_BYTES   (4U << 20)
#define NETWORK_PIECE   (64U << 10)

/* The guest's questions, a byte each: it sends NETWORK_BYTES and wants a byte when all are there, or it wants them. */
enum { TAKE = 't', GIVE = 'g' };

/* NETWORK_BYTES through a socket; 0, or -1 and errno. */
static inline int network_send(int socket)
{
    static char piece[NETWORK_PIECE];
    for (size_t done = 0; done < NETWORK_BYTES; done += sizeof(piece))
        if (send(socket, piece, sizeof(piece), 0) != (ssize_t)sizeof(piece))
            return -1;
    return 0;
}

static inline int network_receive(int socket)
{
    static char piece[NETWORK_PIECE];
    for (size_t done = 0; done < NETWORK_BYTES;) {
        size_t left = NETWORK_BYTES - done;
        ssize_t got = recv(socket, piece, left < sizeof(piece) ? left : sizeof(piece), 0);
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

#endif
