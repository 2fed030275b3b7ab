using System.Net;

namespace Provisioner.Auth;

/// <summary>
/// Limits wrong passwords, which can be guessed: for each address, for each user from each address, and for each user from everywhere. Who sits at
/// a browser that the user signed in with before (OWASP's device cookie) has tries of his own, so that nobody can keep the right person out by
/// guessing, not even from the same address.
/// </summary>
internal sealed class SignInGuard(TimeProvider time)
{
    /// <summary>Wrong passwords in a row from one address, whoever they are for.</summary>
    public const int AddressBurst = 30;

    /// <summary>Wrong passwords in a row for one user from one address, or at one known browser.</summary>
    public const int UserBurst = 10;

    /// <summary>Wrong passwords in a row for one user from everywhere but known browsers.</summary>
    private const int EverywhereBurst = 100;

    private static readonly TimeSpan AddressRefill = TimeSpan.FromSeconds(6), UserRefill = TimeSpan.FromSeconds(30), EverywhereRefill = TimeSpan.FromSeconds(20);

    private readonly Throttle<IPAddress> addresses = new(time, AddressBurst, AddressRefill);
    private readonly Throttle<(string User, IPAddress Address)> users = new(time, UserBurst, UserRefill);
    private readonly Throttle<string> everywhere = new(time, EverywhereBurst, EverywhereRefill);
    private readonly Throttle<string> devices = new(time, UserBurst, UserRefill);
    private readonly Lock gate = new();
    private long putOff;
    private long lastPutOff;

    /// <summary>Takes a try before the password is looked at; not null when there is none: how long to wait.</summary>
    /// <param name="device">The hash of what a browser holds that the user signed in with before; null at any other.</param>
    public TimeSpan? Ask(IPAddress address, string user, string? device)
    {
        if (device is not null)
            return devices.Take(device);
        return addresses.Take(address) ?? users.Take((user, address)) ?? everywhere.Take(user);
    }

    /// <summary>The password was right: the try does not count.</summary>
    public void Right(IPAddress address, string user, string? device)
    {
        if (device is not null)
        {
            devices.Return(device);
            return;
        }
        addresses.Return(address);
        users.Return((user, address));
        everywhere.Return(user);
    }

    /// <summary>Counts a try that was put off; the number when it is worth an event: the 1st, 10th, 100th and so on of a flood.</summary>
    public long? CountPutOff()
    {
        lock (gate)
        {
            if (putOff > 0 && time.GetElapsedTime(lastPutOff) > TimeSpan.FromMinutes(10))
                putOff = 0;
            lastPutOff = time.GetTimestamp();
            putOff++;
            return Math.Pow(10, Math.Floor(Math.Log10(putOff))) == putOff ? putOff : null;
        }
    }
}
