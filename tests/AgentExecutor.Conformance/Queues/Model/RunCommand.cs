using FsCheck;
using FsCheck.Fluent;

namespace AgentExecutor.Conformance.Queues.Model;

/// <summary>One operation on the runs of a few threads. The model tests execute sequences of these.</summary>
public abstract record RunCommand
{
    /// <summary>The numbers of workers, of threads, and of runs per thread.</summary>
    public const int Workers = 2,
        Threads = 2,
        Runs = 3;

    /// <summary>A run is submitted, and a worker claims it at once if possible.</summary>
    public sealed record Submit(int Thread, int Run, int? TakenBy) : RunCommand;

    public sealed record Claim(int Worker, int AtMost) : RunCommand;

    /// <summary>A worker renews the leases of all its runs.</summary>
    public sealed record Renew(int Worker) : RunCommand;

    /// <summary>A worker is suspended for longer than its leases.</summary>
    public sealed record Freeze(int Worker) : RunCommand;

    /// <summary>A worker commits to a run that it has claimed, even if it no longer holds the run.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Index">The index in the list of all runs that the worker has claimed.</param>
    /// <param name="Kind">What the commit stores.</param>
    public sealed record Store(int Worker, int Index, StoreKind Kind) : RunCommand;

    public sealed record Cancel(int Thread) : RunCommand;

    /// <summary>A worker polls for expired leases.</summary>
    public sealed record Rescue(int Worker) : RunCommand;

    /// <summary>An interrupted or failed run is resumed.</summary>
    public sealed record Resume(int Thread) : RunCommand;

    /// <summary>Retention deletes a thread, or tries to.</summary>
    /// <param name="Thread">The thread.</param>
    /// <param name="BreaksOff">True if the deletion is interrupted in the middle.</param>
    public sealed record Delete(int Thread, bool BreaksOff) : RunCommand;

    /// <summary>Retention prunes a thread's checkpoints.</summary>
    public sealed record Prune(int Thread) : RunCommand;

    /// <summary>The relay publishes all outcomes.</summary>
    public sealed record Announce : RunCommand;

    /// <summary>Generates random sequences. A failing sequence is reduced to the commands that are needed for the failure.</summary>
    public static Arbitrary<RunCommand[]> Sequences() => Arb.From(Any().ArrayOf(40), Shrink);

    private static Gen<RunCommand> Any()
    {
        var (worker, thread, place) = (Gen.Choose(0, Workers - 1), Gen.Choose(0, Threads - 1), Gen.Choose(0, 3));
        return Gen.Frequency(
            (
                6,
                from t in thread
                from r in Gen.Choose(0, Runs - 1)
                from w in Gen.Choose(-1, Workers - 1)
                select (RunCommand)new Submit(t, r, w < 0 ? null : w)
            ),
            (6, from w in worker from most in Gen.Choose(1, 3) select (RunCommand)new Claim(w, most)),
            (2, from w in worker select (RunCommand)new Renew(w)),
            (3, from w in worker select (RunCommand)new Freeze(w)),
            (
                12,
                from w in worker
                from p in place
                from k in Gen.Elements(Enum.GetValues<StoreKind>())
                select (RunCommand)new Store(w, p, k)
            ),
            (4, from t in thread select (RunCommand)new Cancel(t)),
            (4, from w in worker select (RunCommand)new Rescue(w)),
            (3, from t in thread select (RunCommand)new Resume(t)),
            (3, from t in thread from b in Gen.Elements(false, true) select (RunCommand)new Delete(t, b)),
            (1, from t in thread select (RunCommand)new Prune(t)),
            (3, Gen.Constant((RunCommand)new Announce()))
        );
    }

    /// <summary>Removes halves and quarters first, and then single commands.</summary>
    private static IEnumerable<RunCommand[]> Shrink(RunCommand[] commands)
    {
        for (var size = commands.Length / 2; size > 0; size /= 2)
        {
            for (var start = 0; start + size <= commands.Length; start += size)
            {
                yield return [.. commands[..start], .. commands[(start + size)..]];
            }
        }
    }
}

/// <summary>What a worker commits to a run.</summary>
public enum StoreKind
{
    Step,
    Complete,
    Fail,
    Interrupt,
    Requeue,
    Cancel,
}
