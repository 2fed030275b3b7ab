using System.Net;
using Provisioner.Auth;

namespace Provisioner.Certificates;

/// <summary>What to do with one more wrong token.</summary>
/// <param name="Record">It is worth an event: not one of thousands.</param>
/// <param name="RetryAfter">Not null when there were too many: how long to wait.</param>
internal readonly record struct TokenVerdict(bool Record, TimeSpan? RetryAfter);

/// <summary>
/// Limits wrong tokens for each address and for each Installation. A right token always passes, whatever others tried before it: the
/// comparison costs a microsecond and 256 bits cannot be guessed, so that the limit protects the log and the processor, not the secret;
/// a limit that also held up right tokens would let anybody keep a host out.
/// </summary>
internal sealed class TokenGuard(TimeProvider time)
{
    /// <summary>Wrong tokens in a row from one address before it has to wait.</summary>
    public const int AddressBurst = 10;

    /// <summary>Wrong tokens in a row for one Installation.</summary>
    public const int InstallationBurst = 30;

    /// <summary>One more is allowed after so long.</summary>
    private static readonly TimeSpan Refill = TimeSpan.FromSeconds(6);

    private readonly Throttle<IPAddress> addresses = new(time, AddressBurst, Refill);
    private readonly Throttle<string> installations = new(time, InstallationBurst, Refill);

    /// <summary>Counts one wrong token.</summary>
    public TokenVerdict Wrong(IPAddress address, string? installation)
    {
        var wait = addresses.Take(address);
        // A made-up Installation is counted for its address alone.
        if (installation is not null && installations.Take(installation) is { } other && (wait is null || other > wait))
            wait = other;
        return new(wait is null, wait);
    }
}
