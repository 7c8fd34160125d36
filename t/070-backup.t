#!/usr/bin/perl
# scim-backup: a backup made beside writers is a consistent store, old backups are deleted, and nginx serves a restored
# store. t/071-recipes.t runs the commands of docs/backup.md.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
my $revoked = $t->token('acme', label => 'revoked later');
$t->start;
my $c = $t->client(token => $token);
my ($users, $count, $backups) = ('/scim/v2/Users', 600, "$t->{dir}/backups");
$ENV{PATH} = dirname($ENV{TEST_SCIMCTL}) . ":$ENV{PATH}";

# scim-backup on this server's store: (exit code, stdout, stderr)
sub backup { return $t->run('', "$FindBin::Bin/../tools/scim-backup", @_, '--to', $backups, '--store', $t->{store}) }
sub backups { my ($exit, $out) = backup('list'); return split /\n/, $out }
sub files { return join ' ', map { s{.*/}{}r } glob "$_[0]/*" }
sub total { return $c->request(GET => "$users?count=0")->{json}{totalResults} // -1 }
sub verified {
    local $t->{store} = $_[0];
    my ($exit, $out, $err) = $t->scimctl('verify', '--json');
    my $report = eval { $Scim::json->decode($out) } // {};
    is $report->{problemCount}, 0, 'verify finds no problem in ' . $_[0] =~ s{.*/}{}r or diag "$exit $out$err";
    return $report->{counts}{resources} // -1;
}
# Checks that scim-backup fails: (pattern of stderr, what is refused, arguments).
sub refused {
    my ($pattern, $name, @how) = @_;
    my ($exit, $out, $err) = backup(@how);
    isnt $exit, 0, "$name is refused";
    like $err, $pattern, "the refusal of $name says why";
    return;
}

# --- two nights

my $writers = $t->launch(4, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $users, token => $token, json => Scim::user("user$i"));
    return { status => $r->{status}, id => $r->{json}{id} };
});
ok $t->wait_for(sub { total() >= 50 }), '50 users exist';
my $before = total();
my ($exit, $out, $err) = backup('create');
is $exit, 0, 'a backup beside writers succeeds' or diag $err;
my @made = $t->collect($writers);
is scalar(grep $_->{status} == 201, @made), $count, 'every create beside the backup is answered with 201';
my ($first) = $out =~ m{^(\Q$backups\E/\d{4}-\d\d-\d\dT\d{6}Z)$}m;
ok $first, 'the backup is named by its time' or diag $out;
is files($first), 'data.mdb', 'a backup has one file, data.mdb';
my $copied = verified($first);
cmp_ok $copied, '>=', $before, 'the backup has every resource that was acknowledged before it began';
cmp_ok $copied, '<=', $count, 'the backup has no other resource';
unlink "$first/lock.mdb";

is +($t->scimctl(qw(token revoke --tenant acme), 'revoked later'))[0], 0, 'a token is revoked after the first backup';
($exit, $out, $err) = backup();
is $exit, 0, 'a second backup succeeds' or diag $err;
my @names = backups();
is scalar(@names), 2, 'both backups are listed';
is "$backups/$names[0]", $first, 'the list begins with the oldest';
mkdir "$backups/$_" or die for qw(.new.1 2026 not-a-backup);
($exit, $out, $err) = backup(qw(--keep 2));
is $exit, 0, 'a third backup succeeds' or diag $err;
is_deeply [(backups())[0]], [$names[1]], '--keep 2 deletes the oldest of three backups';
is scalar(backups()), 2, 'two backups are left';
is_deeply [sort grep !/^\d{4}-/, map { s{.*/}{}r } glob "$backups/{.[!.]*,*}"], [qw(2026 not-a-backup)],
    'directories that are no backups are kept, an interrupted backup is deleted';
my ($restored_from) = backups();
is verified("$backups/$restored_from"), $count, 'the second backup has all users';

# --- refusals

refused(qr/these processes have ".*" open: \d+.*stop nginx/, 'a restore while nginx runs', 'restore');
refused(qr/there is no backup "2020-01-01T000000Z"/, 'a restore of an unknown backup', 'restore', '2020-01-01T000000Z');
refused(qr/"..\/store" is not the name of a backup/, 'a restore from another directory', 'restore', '../store');
refused(qr/--keep "0" is not a number/, '--keep 0', '--keep', '0');

# --- a backup is restored

my $new = $c->request(POST => $users, json => Scim::user('after the backup'));
is_user $new, 201, 'a user is created after the backup';
ok $t->quit, 'nginx ends';
($exit, $out, $err) = backup('restore', $restored_from);
is $exit, 0, 'the restore succeeds' or diag $err;
my ($replaced) = $out =~ m{ is now (\Q$t->{store}\E\.replaced-\S+)\.$};
is files($t->{store}), 'data.mdb', 'the restored store has one file, data.mdb';
is verified($replaced // ''), $count + 1, 'the replaced store is kept and has all users';
is verified($t->{store}), $count, 'the restored store has the users of the backup';
$t->start;
is total(), $count, 'nginx serves the restored store';
my @known = grep $c->request(GET => "$users/$_->{id}")->{status} == 200, @made;
is scalar(@known), $count, 'nginx serves every user of the backup by its id';
is $c->request(GET => "$users/$new->{json}{id}")->{status}, 404,
    'a user created after the backup is not in the restored store';
is $t->request(GET => $users, token => $revoked)->{status}, 401,
    'a token revoked before the backup is revoked in the restored store';
is_user $c->request(POST => $users, json => Scim::user('new')), 201, 'the restored store can be written';
is verified($t->{store}), $count + 1, 'the restored store has the new user too';
is files($t->{store}), 'data.mdb faults lock.mdb', 'the store has no other files';

# --- a damaged backup is refused before the store is touched

ok $t->quit, 'nginx ends again';
my $bad = "$backups/2099-01-01T000000Z";
mkdir $bad, 0700 or die;
open my $f, '>', "$bad/data.mdb" or die;
print $f 'x' x 8192;
close $f;
refused(qr/damaged or cannot be read/, 'a restore of a damaged backup', 'restore');
is verified($t->{store}), $count + 1, 'the store is unchanged after the refused restore';
$t->start;

$t->finish;
