/* Starts a program, whose system calls of the given numbers are each told first to whoever holds the socket's other end.
 *
 *   supervised_calls                         prints the number and the name of each call that this machine has
 *   supervised_calls SOCKET NUMBERS PROGRAM  NUMBERS: joined by commas; the listener goes through the socket (seccomp(2))
 *
 * It stays and ends as the program does, or with 124 where something that the program started still runs a second later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CALLS = 100, MOMENTS = 100, A_MOMENT = 10 * 1000 * 1000 /* ns */ };

static const struct {
    const char *name;
    int number;
} known[] = {
#include "numbers.h"
};

static void give_up(const char *what)
{
    fprintf(stderr, "supervised_calls: %s: %s\n", what, strerror(errno));
    exit(125);
}

static int listener_for(char *numbers)
{
    struct sock_filter code[2 * MOST_CALLS + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short length = 1;
    for (char *each = strtok(numbers, ","); each && length < 2 * MOST_CALLS; each = strtok(NULL, ",")) {
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(each), 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        give_up("PR_SET_NO_NEW_PRIVS");
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int give(int socket, int descriptor)
{
    char byte = 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof descriptor)];
    } control = {0};
    struct iovec one = {&byte, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message, 0) == 1;
}

static void start(int socket, char *numbers, char **program)
{
    fcntl(socket, F_SETFD, FD_CLOEXEC); /* before the filter: from then on nobody answers until the listener has gone */
    int listener = listener_for(numbers);
    if (listener < 0)
        give_up("seccomp");
    if (!give(socket, listener))
        _exit(125);
    execvp(program[0], program);
    _exit(126);
}

/* Whose parent has ended becomes a child of this process, which is a subreaper or the first of its namespace. */
static int is_all_over(void)
{
    for (int moment = 0; moment < MOMENTS; moment++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitpid(-1, NULL, WNOHANG) < 0)
            return 1;
        nanosleep(&(struct timespec){0, A_MOMENT}, NULL);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 4) {
        for (size_t each = 0; each < sizeof known / sizeof *known; each++)
            printf("%d %s\n", known[each].number, known[each].name);
        return 0;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pid_t program = fork();
    if (program == 0)
        start(atoi(arguments[1]), arguments[2], arguments + 3);
    close(atoi(arguments[1]));
    int status = 0;
    if (program < 0 || waitpid(program, &status, 0) != program)
        give_up("fork");
    if (!is_all_over())
        return 124;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
