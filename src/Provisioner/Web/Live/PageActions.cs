using MudBlazor;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Web.Live;

/// <summary>What people change by a page: by the same rules as by the API, told when it is done, and why when it is not.</summary>
internal sealed class PageActions(Visit visit, StateWriter writer, ISnackbar snackbar)
{
    /// <summary>Changes the state.</summary>
    /// <param name="pattern">The endpoint of the API that does the same.</param>
    /// <param name="change">Gets who does it; its answer is what to tell then.</param>
    /// <returns>False when it was refused; why was told.</returns>
    public Task<bool> ChangeAsync(string method, string pattern, Func<StateEditor, string, string> change) =>
        RunAsync(method, pattern, actor => writer.ChangeAsync(editor => change(editor, actor)));

    /// <summary>For an action of <see cref="RunAsync"/> that ends in a change.</summary>
    public Task<string> WriteAsync(Func<StateEditor, string> change) => writer.ChangeAsync(change);

    /// <summary>Does something that is no change of the state alone.</summary>
    public async Task<bool> RunAsync(string method, string pattern, Func<string, Task<string>> action)
    {
        if (!visit.IsStillIn || !visit.May(method, pattern))
        {
            Refuse($"Your role, {visit.RoleWord}, does not do that. An admin can change it: provisioner user set-role {visit.Name} ROLE.");
            return false;
        }
        try
        {
            var done = await action(visit.Actor);
            if (done.Length > 0)
                snackbar.Add(done, Severity.Success);
            return true;
        }
        catch (ChangeRefusedException refused)
        {
            Refuse(refused.Message);
        }
        catch (StoreException full)
        {
            Refuse(full.Message);
        }
        return false;
    }

    public void Tell(string what) => snackbar.Add(what, Severity.Success);

    public void Refuse(string why) => snackbar.Add(why, Severity.Error, options => { options.RequireInteraction = true; });
}
