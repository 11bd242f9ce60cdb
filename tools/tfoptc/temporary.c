/* temporary: see temporary.h. A thread waits for the signals that end the program; the others leave them to it. What
   crashes (libraries do where memory is lacking, by a null pointer or abort()) hands its signal over as well and stands
   still, so that cleaning up is done in a thread that may do anything. */
#include "temporary.h"

#include "base/diag.h"
#include "base/file.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

struct Temporary {
    char *folder;
    pthread_t writer; /* of the files in it */
    sigset_t signals; /* that end the program; SIGUSR1 stands for a crash, too */
    void *reserve;    /* memory for cleaning up when there is none left */
    bool owes_report;
};

/* Signals that end the program. Those that it was started without (nohup) are left alone. */
static void ending_signals(sigset_t *out) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    sigemptyset(out);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) sigaddset(out, signals[i]);
    }
}

/* In a thread that a library started before main (OpenBLAS does): from now on it leaves the signal to the one that
   waits for it. */
static void pass_on(int number, siginfo_t *info, void *context) {
    sigaddset(&((ucontext_t *)context)->uc_sigmask, number);
    sigqueue(getpid(), number, info->si_value);
}

static void stand_still(int number) {
    (void)number;
    for (;;) pause();
}

static void hand_crash_over(int number) {
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = number});
    stand_still(number);
}

/* Whether there is hardly any memory left: then that is why. */
static bool memory_is_lacking(void) {
    const size_t little = 16 << 20;
    void *p = mmap(NULL, little, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return true;
    munmap(p, little);
    return false;
}

static void print_report(const Temporary *t, const char *message, int code) {
    if (!t->owes_report) return;
    printf("{\"messages\": [{\"level\": \"error\", \"message\": \"%s\", \"count\": 1, \"exit\": %d}]}\n", message,
           code);
    fflush(stdout);
}

static _Noreturn void end_crashed(Temporary *t, int number, bool lacking) {
    const char *why = lacking ? "out of memory" : number == SIGBUS ? "a file that is read became shorter" : NULL;
    if (why)
        fprintf(stderr, "tfoptc: %s\n", why);
    else
        fprintf(stderr,
                "tfoptc: internal error: %s\nThis is a bug in tfoptc, or in what --op-library brought. Please report "
                "it with the model and the command line.\n",
                strsignal(number));
    print_report(t, why ? why : "internal error", why ? EXIT_INPUT : EXIT_BUG);
    _exit(why ? EXIT_INPUT : EXIT_BUG);
}

/* Waits for such a signal, has the writer stop, removes the folder and lets the signal do its work. */
static void *clean_up_on_signal(void *argument) {
    enum { TRIES = 200 };
    Temporary *t = argument;
    const struct timespec moment = {.tv_nsec = 1000000};
    siginfo_t info;
    int number;
    while ((number = sigwaitinfo(&t->signals, &info)) < 0) continue;
    const bool crashed = number == SIGUSR1 && info.si_code == SI_QUEUE && info.si_pid == getpid() &&
                         info.si_value.sival_int != 0; /* as hand_crash_over sends it */
    const bool lacking = crashed && memory_is_lacking();
    free(t->reserve);
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = stand_still}, NULL);
    pthread_kill(t->writer, SIGUSR2);
    for (int i = 0; i < TRIES && file_exists(t->folder); i++) { /* a last file may just be coming into being */
        file_remove_tree(t->folder);
        nanosleep(&moment, NULL);
    }
    if (crashed) end_crashed(t, info.si_value.sival_int, lacking);
    sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    pthread_sigmask(SIG_UNBLOCK, &t->signals, NULL);
    raise(number);
    return NULL;
}

/* Who ends the program by exit() leaves no temporary files either. OpenBLAS's own handler is not waited for: under a
   limit on memory its threads try for ever to get some. */
static void clean_up_on_exit(int status, void *temporary) {
    Temporary *t = temporary;
    free(t->reserve);
    file_remove_tree(t->folder);
    print_report(t, status == EXIT_BUG ? "internal error" : "out of memory or disk", status);
    fflush(NULL);
    _exit(status);
}

/* A reader that went away (tfoptc … | head) ends this process, too, but not before the folder is removed. */
static void change_pipe_signal(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(how, &set, NULL);
}

/* Crashes are handed over, on a stack of their own; where somebody else looks at them (a sanitizer) they are not ours.
 */
static void watch_crashes(void) {
    enum { STACK = 64 << 10 };
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    void *stack = malloc(STACK);
    if (!stack || sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = STACK}, NULL) != 0) return;
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
        struct sigaction now;
        if (sigaction(crashes[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(crashes[i], &(struct sigaction){.sa_handler = hand_crash_over, .sa_flags = SA_ONSTACK}, NULL);
    }
}

Temporary *temporary_begin(bool owes_report, Arena *arena) {
    enum { RESERVE = 1 << 20, STACK = 256 << 10 };
    Diag quiet;
    pthread_t thread;
    diag_init(&quiet, arena, NULL);
    char *folder = file_make_temp_dir(arena, &quiet);
    if (!folder) return NULL;
    Temporary *t = calloc(1, sizeof *t);
    if (!t || !(t->folder = strdup(folder)) || !(t->reserve = malloc(RESERVE)) || setenv("TMPDIR", folder, 1) != 0) {
        file_remove_tree(folder);
        return NULL;
    }
    t->owes_report = owes_report;
    t->writer = pthread_self();
    on_exit(clean_up_on_exit, t);
    change_pipe_signal(SIG_BLOCK);
    ending_signals(&t->signals);
    pthread_sigmask(SIG_BLOCK, &t->signals, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const bool started = pthread_create(&thread, &attributes, clean_up_on_signal, t) == 0;
    pthread_attr_destroy(&attributes);
    if (!started) {
        pthread_sigmask(SIG_UNBLOCK, &t->signals, NULL);
        return t;
    }
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&t->signals, i) == 1)
            sigaction(i, &(struct sigaction){.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART}, NULL);
    if (sigismember(&t->signals, SIGUSR1) == 1) watch_crashes();
    return t;
}

void temporary_end(Temporary *t) {
    if (t) {
        file_remove_tree(t->folder);
        t->owes_report = false;
    }
    change_pipe_signal(SIG_UNBLOCK);
}
