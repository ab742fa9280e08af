/*
 * The yardstick of bench_probe.py: TCP probes as cheap as C and epoll make them.
 *
 *   epoll_connect FIRST_ADDRESS ADDRESSES PORT PROBES IN_FLIGHT BURST
 *
 * connects PROBES times, taking turns through ADDRESSES consecutive IPv4 addresses, with at most IN_FLIGHT sockets open
 * at once, and at most BURST connections started between two looks for events. It makes the same system calls as the probe in Python: socket, connect, epoll_ctl, epoll_wait, close, and
 * getsockopt where epoll reports an error. It prints the CPU seconds (user and system) that this took, and how many
 * connections came about.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_WAIT_MS 5000

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double cpu_seconds(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        die("getrusage");
    return (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static int64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        die("clock_gettime");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Starts one connection and has epoll watch it; the time of the start is what a time limit would count from. */
static void start(int epoll, in_addr_t address, in_port_t port, int64_t *started)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = address};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    *started = now_ns();
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno != EINPROGRESS)
        die("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static int connected(int fd, uint32_t events)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (events != EPOLLOUT && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        die("getsockopt");
    return error == 0;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: %s FIRST_ADDRESS ADDRESSES PORT PROBES IN_FLIGHT BURST\n", argv[0]);
        return 2;
    }
    uint32_t first = ntohl(inet_addr(argv[1]));
    uint32_t addresses = (uint32_t)atoi(argv[2]);
    in_port_t port = htons((uint16_t)atoi(argv[3]));
    int probes = atoi(argv[4]);
    int in_flight = atoi(argv[5]);
    int burst = atoi(argv[6]);

    struct epoll_event *events = calloc((size_t)in_flight, sizeof *events);
    int64_t *started = calloc((size_t)probes, sizeof *started);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (events == NULL || started == NULL || epoll < 0)
        die("set-up");

    double before = cpu_seconds();
    int next = 0, open_sockets = 0, healthy = 0;
    while (next < probes || open_sockets > 0) {
        for (int n = 0; n < burst && next < probes && open_sockets < in_flight; n++) {
            start(epoll, htonl(first + (uint32_t)next % addresses), port, &started[next]);
            next++;
            open_sockets++;
        }
        int more = next < probes && open_sockets < in_flight;
        int ready = epoll_wait(epoll, events, in_flight, more ? 0 : LONGEST_WAIT_MS);
        if (ready < 0 || (ready == 0 && !more))
            die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            healthy += connected(events[i].data.fd, events[i].events);
            close(events[i].data.fd);
            open_sockets--;
        }
    }
    printf("%.6f %d\n", cpu_seconds() - before, healthy);
    free(started);
    free(events);
    close(epoll);
    return 0;
}
