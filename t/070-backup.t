#!/usr/bin/perl
# docs/backup.md: mdb_copy -c makes a whole copy of a store that is written meanwhile, and nginx serves what was restored
# from it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
my $revoked = $t->token('acme', label => 'revoked later');
$t->start;
my $c = $t->client(token => $token);
my ($users, $count) = ('/scim/v2/Users', 600);

sub total { return $c->request(GET => "$users?count=0")->{json}{totalResults} // -1 }
sub verified {
    local $t->{store} = "$t->{dir}/$_[0]";
    my ($exit, $out, $err) = $t->scimctl('verify', '--json');
    my $report = eval { $Scim::json->decode($out) } // {};
    is $report->{problemCount}, 0, "$_[0] is sound" or diag "$exit $out$err";
    return $report->{counts}{resources} // -1;
}

# --- a copy, beside writers

my $writers = $t->launch(4, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $users, token => $token, json => Scim::user("user$i"));
    return { status => $r->{status}, id => $r->{json}{id} };
});
ok $t->wait_for(sub { total() >= 50 }), 'users come';
my $before = total();
mkdir "$t->{dir}/backup", 0700 or die;
my ($exit, $out, $err) = $t->run('', qw(mdb_copy -c), $t->{store}, "$t->{dir}/backup");
is "$exit $out$err", '0 ', 'mdb_copy -c';
my @made = $t->collect($writers);
is scalar(grep $_->{status} == 201, @made), $count, 'no write minds it';
is join(' ', map { s{.*/}{}r } glob "$t->{dir}/backup/*"), 'data.mdb', 'the copy is one file';
File::Copy::copy("$t->{dir}/backup/data.mdb", "$t->{dir}/kept") or die;
my $copied = verified('backup');
cmp_ok $copied, '>=', $before, 'it has all that was acknowledged before';
cmp_ok $copied, '<=', $count, 'and nothing that never was';
is +($t->scimctl(qw(token revoke --tenant acme), 'revoked later'))[0], 0, 'a token is revoked';
is $t->request(GET => $users, token => $revoked)->{status}, 401, 'so that it is';

# --- restored into a new directory

ok $t->quit, 'nginx is stopped';
rename $t->{store}, "$t->{store}.broken" or die;
mkdir $t->{store}, 0700 or die;
File::Copy::copy("$t->{dir}/kept", "$t->{store}/data.mdb") or die;
chmod 0600, "$t->{store}/data.mdb";
is verified('store'), $copied, 'what is restored';
$t->start;
is total(), $copied, 'is served';
my @known = grep $c->request(GET => "$users/$_->{id}")->{status} == 200, @made;
is scalar(@known), $copied, 'every one by its id';
is $t->request(GET => $users, token => $revoked)->{status}, 200, 'a token that was revoked since is live again';
my ($lost) = grep { my $id = $_->{id}; !grep $_->{id} eq $id, @known } @made;
my $new = $c->request(POST => $users, json => Scim::user('new'));
is_user $new, 201, 'it is written, too';
is $c->request(GET => "$users/$lost->{id}")->{status}, 404, 'what came after the copy is gone' if $lost;
is verified('store'), $copied + 1, 'with the new one';
is_deeply [sort map { s{.*/}{}r } glob "$t->{store}/*"], [qw(data.mdb lock.mdb)], 'and nothing else is there';

$t->finish;
