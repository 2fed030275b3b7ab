using System.Runtime.InteropServices;

namespace Provisioner.Certificates;

/// <summary>Whether the machine's clock can be trusted, and what says so.</summary>
public readonly record struct ClockStatus(bool IsSynchronised, string Reason)
{
    /// <summary>Nobody could be asked: whoever else knows may be believed alone.</summary>
    public bool IsUnknown { get; init; }
}

/// <summary>Says whether the clock is synchronised. A certificate made by a wrong clock is refused by AWS, or good for too long.</summary>
public interface IClock
{
    /// <summary>Cheap: asked before each certificate.</summary>
    ClockStatus Status { get; }

    /// <summary>Raised by a clock that is told when its status changes. Handlers return at once.</summary>
    event Action? Changed
    {
        add { }
        remove { }
    }
}

/// <summary>
/// The kernel's own word (adjtimex(2)): every NTP client on Linux (systemd-timesyncd, chrony, ntpd) clears STA_UNSYNC when it has
/// disciplined the clock, and the kernel sets it again when the estimated error has grown past 16 s.
/// </summary>
internal sealed partial class KernelClock : IClock
{
    private const int Error = 5; // TIME_ERROR
    private const int Unsynchronised = 0x0040; // STA_UNSYNC

    public ClockStatus Status
    {
        get
        {
            var timex = default(Timex);
            var state = AdjTimex(ref timex);
            return state < 0 ? new(false, $"the kernel does not say whether the clock is synchronised ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})") { IsUnknown = true }
                : state == Error || (timex.Status & Unsynchronised) != 0
                    ? new(false, "the clock is not synchronised: no NTP client has set it (timedatectl; chronyc tracking)")
                    : new(true, $"the kernel says that the clock is synchronised, within {timex.MaximumError / 1000} ms");
        }
    }

    [LibraryImport("libc", EntryPoint = "adjtimex", SetLastError = true)]
    private static partial int AdjTimex(ref Timex timex);

    // struct timex of 64-bit Linux: what is asked for at its place, the rest as room. Modes is zero: only ask.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Timex
    {
        [FieldOffset(0)]
        public uint Modes;

        [FieldOffset(24)]
        public long MaximumError; // microseconds

        [FieldOffset(40)]
        public int Status;
    }
}

/// <summary>The operator said that the clock is right (<c>--allow-unsynchronised-clock</c>).</summary>
internal sealed class TrustedClock : IClock
{
    public ClockStatus Status => new(true, "the clock is trusted as it is, because the service was started with --allow-unsynchronised-clock");
}
