using Microsoft.AspNetCore.Components;
using Provisioner.Fleet;

namespace Provisioner.Web.Live;

/// <summary>A page that shows the state and looks again when it changed.</summary>
public abstract class LivePage : ComponentBase, IDisposable
{
    [Inject]
    internal FleetView Fleet { get; set; } = default!;

    [Inject]
    internal Visit Visit { get; set; } = default!;

    [Inject]
    internal PageActions Actions { get; set; } = default!;

    internal DateTimeOffset Now => Fleet.Now;

    protected override void OnInitialized() => Fleet.Changed += OnChanged;

    /// <summary>Takes what the page shows out of the state.</summary>
    protected virtual void Look()
    {
    }

    protected override void OnParametersSet() => Look();

    private void OnChanged() => _ = InvokeAsync(() =>
    {
        Look();
        StateHasChanged();
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends what the page follows.</summary>
    protected virtual void Dispose(bool disposing) => Fleet.Changed -= OnChanged;
}
