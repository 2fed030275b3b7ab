using System.Collections.Immutable;

namespace Provisioner.Appliance.Bus;

/// <summary>
/// The properties of one object of a service, as they were last told: read when there is a bus, when the service comes, and when it signals that
/// they changed. A service that does not answer in time is asked once more a while later.
/// </summary>
internal sealed class BusObject : IDisposable
{
    private const string Properties = "org.freedesktop.DBus.Properties";
    private const string Daemon = "org.freedesktop.DBus";

    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(30);

    private readonly IBusConnection bus;
    private readonly MethodCall getAll;
    private readonly bool startsWhenAsked;
    private readonly Refresh refresh;
    private readonly ITimer askAgain;
    private readonly List<IDisposable> subscriptions = [];
    private readonly TimeProvider time;
    private int generation;
    private long answeredAt;
    private volatile Told told = new(ImmutableDictionary<string, object?>.Empty, "was not asked yet");

    /// <param name="bus">The bus.</param>
    /// <param name="time">The clock.</param>
    /// <param name="service">Whose object it is.</param>
    /// <param name="path">The object.</param>
    /// <param name="interface">The interface whose properties are read.</param>
    /// <param name="startsWhenAsked">The service runs only while somebody asks it something; that it left says nothing.</param>
    public BusObject(IBusConnection bus, TimeProvider time, string service, string path, string @interface, bool startsWhenAsked = false)
    {
        (this.bus, this.time) = (bus, time);
        this.startsWhenAsked = startsWhenAsked;
        (Service, Path, Interface) = (service, path, @interface);
        getAll = new MethodCall(service, path, Properties, "GetAll") { Signature = "s", Arguments = [@interface], AutoStart = startsWhenAsked };
        refresh = new Refresh(LookAsync);
        askAgain = time.CreateTimer(_ => refresh.Ask(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Raised when properties or problem are others than before. Handlers return at once.</summary>
    public event Action? Changed;

    public string Service { get; }

    public string Path { get; }

    public string Interface { get; }

    /// <summary>Grows with each start of the service, and each connection: what it was told before, it may have forgotten.</summary>
    public int Generation => Volatile.Read(ref generation);

    /// <summary>Why nothing is known of it; null when <see cref="Get{T}"/> gives what it said.</summary>
    public string? Problem => told.Problem;

    /// <summary>The bus is there, the service is not.</summary>
    public bool IsAbsent => told.IsAbsent;

    public void Start()
    {
        subscriptions.Add(bus.AddMatch(new MatchRule { Sender = Service, Interface = Properties, Member = "PropertiesChanged", Path = Path, Arg0 = Interface }, _ => refresh.Ask()));
        subscriptions.Add(bus.AddMatch(new MatchRule { Sender = Daemon, Interface = Daemon, Member = "NameOwnerChanged", Arg0 = Service }, OnOwner));
        bus.Changed += OnBus;
        refresh.Ask();
    }

    /// <summary>Looks again. Returns at once.</summary>
    public void Ask() => refresh.Ask();

    /// <summary>As <see cref="Ask"/>, when the last answer is from longer ago.</summary>
    public void AskIfOlderThan(TimeSpan age)
    {
        if (time.GetElapsedTime(Volatile.Read(ref answeredAt)) > age)
            refresh.Ask();
    }

    /// <summary>A property as it was last told; the type's default when it was not, or is another type.</summary>
    public T? Get<T>(string name) => told.Values.GetValueOrDefault(name) is T value ? value : default;

    public void Dispose()
    {
        bus.Changed -= OnBus;
        foreach (var subscription in subscriptions)
            subscription.Dispose();
        askAgain.Dispose();
        refresh.Dispose();
    }

    private void OnBus()
    {
        Interlocked.Increment(ref generation);
        refresh.Ask();
    }

    // Its name, who had it, who has it now.
    private void OnOwner(Signal signal)
    {
        if (startsWhenAsked && signal.Arguments is not [_, _, string { Length: > 0 }])
            return;
        Interlocked.Increment(ref generation);
        refresh.Ask();
    }

    private async Task LookAsync(CancellationToken cancellation)
    {
        Told next;
        try
        {
            var answer = await bus.CallMethodAsync(getAll, cancellation);
            var values = ((Dictionary<object, object?>)answer[0]!).ToImmutableDictionary(entry => (string)entry.Key, entry => entry.Value);
            next = new Told(values, null);
        }
        catch (BusException e)
        {
            next = new Told(ImmutableDictionary<string, object?>.Empty, e.Message, e.IsAbsence);
            if (e.ErrorName == BusException.TimedOut)
                askAgain.Change(AskAgainAfter, Timeout.InfiniteTimeSpan);
        }
        Volatile.Write(ref answeredAt, time.GetTimestamp());
        told = next;
        Changed?.Invoke();
    }

    private sealed record Told(ImmutableDictionary<string, object?> Values, string? Problem, bool IsAbsent = false);
}
