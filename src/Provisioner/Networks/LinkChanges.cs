using System.Net.NetworkInformation;

namespace Provisioner.Networks;

/// <summary>
/// Tells that links or addresses of this machine are others than before, as the kernel signals it (rtnetlink(7)) or somebody who knows more raises
/// it. It does not say what: who hears it looks.
/// </summary>
public sealed class LinkChanges : IDisposable
{
    public LinkChanges()
    {
        NetworkChange.NetworkAddressChanged += OnChanged;
        NetworkChange.NetworkAvailabilityChanged += OnChanged;
    }

    /// <summary>Handlers return at once.</summary>
    public event Action? Changed;

    /// <summary>To everybody but <paramref name="whoKnows"/>, which has seen it.</summary>
    public void Raise(object whoKnows)
    {
        foreach (var handler in Changed?.GetInvocationList() ?? [])
        {
            if (handler.Target != whoKnows)
                ((Action)handler)();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NetworkChange.NetworkAddressChanged -= OnChanged;
        NetworkChange.NetworkAvailabilityChanged -= OnChanged;
    }

    private void OnChanged(object? sender, EventArgs e) => Changed?.Invoke();
}
