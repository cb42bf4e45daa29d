namespace AgentExecutor.Adapters.Sandbox.Linux;

/// <summary>The number of a system call on each architecture; -1 where it does not exist.</summary>
internal readonly record struct SystemCall(int X64, int Arm64)
{
    public int On(CpuArchitecture architecture) => architecture == CpuArchitecture.X64 ? X64 : Arm64;
}

/// <summary>The numbers of the system calls that the filter treats specially. They are part of the kernel's stable interface.</summary>
internal static class SystemCalls
{
    /// <summary>The highest number that the filter knows (<c>mseal</c>). Newer system calls are reported as missing.</summary>
    public const int Highest = 462;

    public static readonly SystemCall Clone = new(56, 220);
    public static readonly SystemCall Clone3 = new(435, 435);
    public static readonly SystemCall Ioctl = new(16, 29);
    public static readonly SystemCall MemoryFile = new(319, 279);
    public static readonly SystemCall MemoryMap = new(9, 222);
    public static readonly SystemCall Socket = new(41, 198);
    public static readonly SystemCall SocketPair = new(53, 199);
    public static readonly SystemCall Personality = new(135, 92);
    public static readonly SystemCall ProcessLimit = new(302, 261);
    public static readonly SystemCall Kill = new(62, 129);
    public static readonly SystemCall ThreadGroupKill = new(234, 131);
    public static readonly SystemCall SetPriority = new(141, 140);
    public static readonly SystemCall SetInputOutputPriority = new(251, 30);
    public static readonly SystemCall Truncate = new(76, 45);

    /// <summary>inotify_add_watch, which would report the names of files outside.</summary>
    public static readonly SystemCall WatchFile = new(254, 27);

    public static readonly SystemCall Landlock = new(444, 444);
    public static readonly SystemCall LandlockAddRule = new(445, 445);
    public static readonly SystemCall LandlockRestrict = new(446, 446);
    public static readonly SystemCall CloseRange = new(436, 436);

    /// <summary>setsid and setpgid. Where the process group is what is killed, they succeed without an effect.</summary>
    public static readonly SystemCall[] Groups = [new(112, 157), new(109, 154)];

    /// <summary>Calls whose first argument is a process, which must be the caller itself: scheduling.</summary>
    public static readonly SystemCall[] Scheduling = [new(203, 122), new(144, 119), new(314, 274), new(142, 118)];

    /// <summary>Other ways to send a signal: tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal.</summary>
    public static readonly SystemCall[] OtherSignals = [new(200, 130), new(129, 138), new(297, 240), new(424, 424)];

    /// <summary>
    /// Calls that change the owner, mode or times of a file, which Landlock does not control: chmod, fchmod, fchmodat, fchmodat2, chown,
    /// fchown, lchown, fchownat, utime, utimes, futimesat, utimensat.
    /// </summary>
    public static readonly SystemCall[] FileAttributes =
    [
        new(90, -1),
        new(91, 52),
        new(268, 53),
        new(452, 452),
        new(92, -1),
        new(93, 55),
        new(94, -1),
        new(260, 54),
        new(132, -1),
        new(235, -1),
        new(261, -1),
        new(280, 88),
    ];

    /// <summary>
    /// Calls that change the extended attributes of a file, which Landlock does not control: setxattr, lsetxattr, fsetxattr, removexattr,
    /// lremovexattr, fremovexattr.
    /// </summary>
    public static readonly SystemCall[] ExtendedAttributes =
    [
        new(188, 5),
        new(189, 6),
        new(190, 7),
        new(197, 14),
        new(198, 15),
        new(199, 16),
    ];

    /// <summary>System V and POSIX message queues and semaphores: msgget, semget, mq_open, mq_unlink.</summary>
    public static readonly SystemCall[] MessageQueues = [new(68, 186), new(64, 190), new(240, 180), new(241, 181)];

    /// <summary>
    /// Calls that no tool needs: debugging and memory of other processes, namespaces, mounts, kernel modules, keys, eBPF, io_uring, clocks,
    /// swap, accounting, and memory that the limits do not count.
    /// </summary>
    public static readonly SystemCall[] Refused =
    [
        new(163, 89), // acct
        new(248, 217), // add_key
        new(159, 171), // adjtimex
        new(321, 280), // bpf
        new(161, 51), // chroot
        new(305, 266), // clock_adjtime
        new(227, 112), // clock_settime
        new(174, -1), // create_module
        new(176, 106), // delete_module
        new(300, 262), // fanotify_init
        new(313, 273), // finit_module
        new(431, 431), // fsconfig
        new(432, 432), // fsmount
        new(430, 430), // fsopen
        new(433, 433), // fspick
        new(177, -1), // get_kernel_syms
        new(274, 100), // get_robust_list
        new(175, 105), // init_module
        new(426, 426), // io_uring_enter
        new(427, 427), // io_uring_register
        new(425, 425), // io_uring_setup
        new(173, -1), // ioperm
        new(172, -1), // iopl
        new(312, 272), // kcmp
        new(320, 294), // kexec_file_load
        new(246, 104), // kexec_load
        new(250, 219), // keyctl
        new(212, 18), // lookup_dcookie
        new(447, 447), // memfd_secret
        new(256, 238), // migrate_pages
        new(133, -1), // mknod
        new(259, 33), // mknodat
        new(154, -1), // modify_ldt
        new(165, 40), // mount
        new(442, 442), // mount_setattr
        new(429, 429), // move_mount
        new(279, 239), // move_pages
        new(303, 264), // name_to_handle_at
        new(180, 42), // nfsservctl
        new(304, 265), // open_by_handle_at
        new(428, 428), // open_tree
        new(298, 241), // perf_event_open
        new(438, 438), // pidfd_getfd
        new(155, 41), // pivot_root
        new(440, 440), // process_madvise
        new(448, 448), // process_mrelease
        new(310, 270), // process_vm_readv
        new(311, 271), // process_vm_writev
        new(101, 117), // ptrace
        new(178, -1), // query_module
        new(179, 60), // quotactl
        new(443, 443), // quotactl_fd
        new(169, 142), // reboot
        new(249, 218), // request_key
        new(171, 162), // setdomainname
        new(170, 161), // sethostname
        new(308, 268), // setns
        new(164, 170), // settimeofday
        new(29, 194), // shmget
        new(168, 225), // swapoff
        new(167, 224), // swapon
        new(156, -1), // _sysctl
        new(139, -1), // sysfs
        new(103, 116), // syslog
        new(166, 39), // umount2
        new(272, 97), // unshare
        new(134, -1), // uselib
        new(323, 282), // userfaultfd
        new(136, -1), // ustat
        new(153, 58), // vhangup
    ];
}
